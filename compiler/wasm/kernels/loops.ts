/** @file The loops that most kernels are made of: over rows, and over the columns of a row. */
import type { FunctionBuilder, Local } from '../asm/function.ts';
import { FLOAT_BYTES, VECTOR_BYTES, f32, f32x4, i32, i32x4, v128 } from '../asm/values.ts';
import type { Expr, F32, I32, V128 } from '../asm/values.ts';
import { shapeName } from '../plan/layout.ts';
import type { OperandShape } from '../plan/layout.ts';
import type { Operand, Site } from './site.ts';

const VECTOR = 4;

/** Address of a view's row for the i-th entry of the row list; of a weight's start. */
export function rowAddress(shape: OperandShape, base: I32, list: I32, i: I32): I32 {
  if (shape.kind === 'weight') return base;
  const row = shape.routed ? i32.load(i32.add(list, i32.mul(i, FLOAT_BYTES))) : i;
  return i32.add(base, i32.mul(row, shape.stride));
}

export interface Row {
  /** Addresses of the operands' rows, in their order. */
  readonly at: readonly Local<'i32'>[];
  readonly i: Local<'i32'>;
  readonly list: Local<'i32'>;
}

/** The row that the i-th entry of the row list names. */
export function listedRow({ i, list }: Pick<Row, 'i' | 'list'>): I32 {
  return i32.load(i32.add(list, i32.mul(i, FLOAT_BYTES)));
}

/**
 * Defines a kernel function (list, rows, operand addresses…) that does the same for each row, and calls it. The
 * function's name is the given one with the shapes of the operands.
 */
export function eachRow(
  site: Site,
  name: string,
  operands: readonly Operand[],
  build: (f: FunctionBuilder, row: Row) => void,
): void {
  const fullName = [name, ...operands.map(({ shape }) => shapeName(shape))].join('_');
  const params = ['i32' as const, 'i32' as const, ...operands.map(() => 'i32' as const)];
  site.module.define(fullName, { params }, (f, [list, rows, ...bases]) => {
    if (list === undefined || rows === undefined) return;
    const at = operands.map(() => f.local('i32'));
    f.for(0, rows, (i) => {
      operands.forEach(({ shape }, o) => {
        f.set<'i32'>(at[o] ?? i, rowAddress(shape, bases[o] ?? 0, list, i));
      });
      build(f, { at, i, list });
    });
  });
  site.code.call(fullName, [site.list, site.rows, ...operands.map(({ address }) => address)]);
}

/** How a step over columns reads and writes: four columns, or one of the last three. */
export interface Lanes {
  /** The columns at the address; zeros in lanes that are not theirs. */
  readonly load: (address: I32) => V128;
  readonly store: (f: FunctionBuilder, address: I32, value: V128) => void;
  /** Stores the first four i16 for four columns; for one the first two, of which the second, behind the columns, is 0. */
  readonly storeInts: (f: FunctionBuilder, address: I32, value: V128) => void;
  readonly columns: number;
  /** Zeros in the lanes that are not columns. */
  readonly only: (value: V128) => V128;
}

const fourLanes: Lanes = {
  load: (address) => f32x4.load(address),
  store: (f, address, value) => {
    f.store(address, value);
  },
  storeInts: (f, address, value) => {
    f.storeHalf(address, value);
  },
  columns: VECTOR,
  only: (value) => value,
};

const oneLane: Lanes = {
  load: (address) => f32x4.loadFirst(address),
  store: (f, address, value) => {
    f.storeFirst(address, value);
  },
  storeInts: (f, address, value) => {
    f.storeFirst(address, value);
  },
  columns: 1,
  only: (value) => v128.and(value, i32x4.constant([-1, 0, 0, 0])),
};

/** Steps over columns 0 … count - 1; `offset` is in bytes. Touches nothing beyond. */
export function eachColumn(
  f: FunctionBuilder,
  count: number,
  build: (lanes: Lanes, offset: Local<'i32'>) => void,
): void {
  const whole = Math.floor(count / VECTOR) * VECTOR_BYTES;
  const offset = f.let('i32', 0);
  const steps = [
    { lanes: fourLanes, end: whole, step: VECTOR_BYTES },
    { lanes: oneLane, end: count * FLOAT_BYTES, step: FLOAT_BYTES },
  ];
  let from = 0;
  for (const { lanes, end, step } of steps) {
    if (end === from) continue;
    f.repeat(i32.ne(offset, end), () => {
      build(lanes, offset);
      f.increase(offset, step);
    });
    from = end;
  }
}

/** Sum of the four lanes, always in this order. */
export function sumLanes(vector: V128): Expr<'f32'> {
  const pair = (a: number, b: number): F32 => f32.add(f32.lane(vector, a), f32.lane(vector, b));
  return f32.add(pair(0, 1), pair(2, 3));
}

export function maxLanes(vector: V128): Expr<'f32'> {
  const pair = (a: number, b: number): F32 => f32.max(f32.lane(vector, a), f32.lane(vector, b));
  return f32.max(pair(0, 1), pair(2, 3));
}
