/** @file Sums over the rows of a matrix, as a bias' gradient is. */
import type { FunctionBuilder } from '../asm/function.ts';
import type { ModuleBuilder } from '../asm/module.ts';
import { FLOAT_BYTES, VECTOR_BYTES, f32x4, i32 } from '../asm/values.ts';
import type { I32 } from '../asm/values.ts';

const VECTORS = 4;

/** Defines `column_sums(rows, columns, x, rowStride, to)`, the stride in bytes. */
export function defineColumnSums(module: ModuleBuilder): void {
  module.define('column_sums', { params: ['i32', 'i32', 'i32', 'i32', 'i32'] }, (f, [rows, columns, x, stride, to]) => {
    const left = f.let('i32', columns);
    const from = f.let('i32', x);
    const target = f.let('i32', to);
    const pass = (vectors: number, floats: number): void => {
      const width = vectors * floats;
      f.while(i32.ge(left, width), () => {
        sum(f, { vectors, floats, rows, from, stride, to: target });
        f.increase(left, -width);
        f.increase(from, width * FLOAT_BYTES);
        f.increase(target, width * FLOAT_BYTES);
      });
    };
    pass(VECTORS, 4);
    pass(1, 4);
    pass(1, 1);
  });
}

interface Group {
  readonly vectors: number;
  /** Of each vector, 4 or 1. */
  readonly floats: number;
  readonly rows: I32;
  readonly from: I32;
  readonly stride: I32;
  readonly to: I32;
}

function sum(f: FunctionBuilder, { vectors, floats, rows, from, stride, to }: Group): void {
  const sums = Array.from({ length: vectors }, () => f.let('v128', f.constant(0)));
  const row = f.let('i32', from);
  const load = floats === 1 ? f32x4.loadFirst : f32x4.load;
  f.for(0, rows, () => {
    for (const [v, total] of sums.entries()) f.set(total, f32x4.add(total, load(row, v * VECTOR_BYTES)));
    f.increase(row, stride);
  });
  for (const [v, total] of sums.entries()) {
    if (floats === 1) f.storeFirst(to, total);
    else f.store(to, total, v * VECTOR_BYTES);
  }
}
