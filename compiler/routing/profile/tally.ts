/**
 * @file Counts ratios such that parts add up exactly: whatever the order and the grouping, the tally is the same.
 *
 * Counts are integers, and the sum is one too, in units of 2⁻⁴⁰; minimum and maximum need no care.
 */
import { BUCKETS, bucketOf } from './histogram.ts';

/** Ratios that were counted. Changed in place by {@link count} and {@link addTally}. */
export interface Tally {
  /** Ratios that are exactly zero, that lie below and above the buckets, and that are no finite numbers. */
  zero: number;
  under: number;
  over: number;
  nonFinite: number;
  /** In each bucket. */
  readonly buckets: Float64Array;
  /** Of the finite ratios, in {@link UNITS}; what is in `carry` comes to it. */
  sum: bigint;
  carry: number;
  /** Of the finite ratios; Infinity and -Infinity while there are none. */
  min: number;
  max: number;
}

/** Units of the sum in 1. */
export const UNITS = 2 ** 40;

export function createTally(): Tally {
  const buckets = new Float64Array(BUCKETS);
  return { zero: 0, under: 0, over: 0, nonFinite: 0, buckets, sum: 0n, carry: 0, min: Infinity, max: -Infinity };
}

/** Counts a ratio, which is not negative where it is a number. */
export function count(tally: Tally, ratio: number): void {
  if (!Number.isFinite(ratio)) {
    tally.nonFinite++;
    return;
  }
  tally.min = Math.min(tally.min, ratio);
  tally.max = Math.max(tally.max, ratio);
  addUnits(tally, Math.round(ratio * UNITS));
  const bucket = bucketOf(ratio);
  if (ratio === 0) tally.zero++;
  else if (bucket < 0) tally.under++;
  else if (bucket >= BUCKETS) tally.over++;
  else tally.buckets[bucket] = (tally.buckets[bucket] ?? 0) + 1;
}

/** Small integers are added up as numbers, because big ones are slow. */
function addUnits(tally: Tally, units: number): void {
  if (tally.carry + units <= Number.MAX_SAFE_INTEGER) {
    tally.carry += units;
    return;
  }
  tally.sum = sumOf(tally) + BigInt(units);
  tally.carry = 0;
}

/** In {@link UNITS}. */
export function sumOf({ sum, carry }: Tally): bigint {
  return sum + BigInt(carry);
}

/** How many finite ratios were counted. */
export function finiteCount({ zero, under, over, buckets }: Tally): number {
  return zero + under + over + buckets.reduce((sum, value) => sum + value, 0);
}

/** Adds what `other` has counted. */
export function addTally(into: Tally, other: Tally): void {
  into.zero += other.zero;
  into.under += other.under;
  into.over += other.over;
  into.nonFinite += other.nonFinite;
  other.buckets.forEach((value, i) => (into.buckets[i] = (into.buckets[i] ?? 0) + value));
  into.sum += sumOf(other);
  into.min = Math.min(into.min, other.min);
  into.max = Math.max(into.max, other.max);
}

/** A new tally of all that these have counted. */
export function totalOf(tallies: readonly Tally[]): Tally {
  const total = createTally();
  for (const tally of tallies) addTally(total, tally);
  return total;
}
