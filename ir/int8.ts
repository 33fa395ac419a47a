/**
 * @file What `weights: "int8"` means: rows on a grid of whole numbers, of which sums of products are exact.
 *
 * Each row of the weight is a scale times whole numbers of at most 127, each row of the input a scale times whole numbers of
 * at most `inputLevels`. These are as many as leave every sum of products within 32 bits: a target may add in any order.
 */
import type { Attrs } from './tensor-type.ts';

/** Largest whole number of a weight row. */
export const INT8_MOST = 127;
/** Rows whose largest number is smaller are rounded as if it were this, so that no scale is zero and no factor infinite. */
export const LEAST_PEAK = 1e-30;

/** A double of this size has no fraction: added and taken away, it rounds to even. */
const EVEN = 1.5 * 2 ** 52;
const INT16_MOST = 2 ** 15 - 1;
const INT32_MOST = 2 ** 31 - 1;

/** The row is `scale` · `values`, as near as `most` allows. */
export interface RoundedRow {
  /** An f32. NaN or infinite where the row is not finite. */
  readonly scale: number;
  readonly values: Int16Array;
}

/** Largest whole number of an input row with this many columns. */
export function inputLevels(columns: number): number {
  return Math.min(INT16_MOST, Math.floor(INT32_MOST / (INT8_MOST * columns)));
}

/** Rounds to the nearest whole multiple of a most-th part of the largest number, to the even one of two that are as near. */
export function roundRow(row: Float32Array | Int32Array, most: number): RoundedRow {
  let peak = LEAST_PEAK;
  for (const value of row) peak = Math.max(peak, Math.abs(value));
  const factor = Math.fround(most / Math.fround(peak));
  const values = new Int16Array(row.length);
  // What is not a number becomes 0.
  for (let i = 0; i < row.length; i++) values[i] = Math.fround((row[i] ?? 0) * factor) + EVEN - EVEN;
  return { scale: Math.fround(Math.fround(peak) / most), values };
}

/** Whether an op reads its weight as int8. */
export function readsInt8({ attrs }: { readonly attrs: Attrs }): boolean {
  return attrs['weights'] === 'int8';
}
