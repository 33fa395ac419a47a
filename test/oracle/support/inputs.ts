/** @file Random inputs for ops. */
import type { Tensor } from '../../../ir/interpreter/index.ts';
import { normals } from '../../../ir/random.ts';
import type { Draw } from '../../support/draw.ts';

type FloatTensor = Tensor & { readonly data: Float32Array };

/** Normal numbers around `mean`. */
export function floats(draw: Draw, shape: readonly number[], mean = 0, std = 1): FloatTensor {
  const count = shape.reduce((product, size) => product * size, 1);
  return { shape, data: normals(count, draw.int(0, 2 ** 31), mean, std) };
}

/** Whole numbers from 0 to `below` - 1. */
export function ids(draw: Draw, count: number, below: number): Tensor {
  return { shape: [count], data: Int32Array.from({ length: count }, () => draw.int(0, below - 1)) };
}
