/** @file What a tally says: mean, extremes and quantiles. */
import { BUCKETS, edge } from './histogram.ts';
import { UNITS, finiteCount, sumOf } from './tally.ts';
import type { Tally } from './tally.ts';

/** Of the finite ratios. Quantiles are read off the buckets, so they are right to 1.1 % from 2⁻²⁰ to 2¹². */
export interface Statistics {
  readonly count: number;
  readonly mean: number;
  readonly min: number;
  readonly max: number;
  readonly median: number;
  readonly p1: number;
  readonly p5: number;
  readonly p25: number;
  readonly p75: number;
  readonly p95: number;
  readonly p99: number;
}

/** Null where no finite ratio was counted. */
export function statisticsOf(tally: Tally): Statistics | null {
  const count = finiteCount(tally);
  if (count === 0) return null;
  const { min, max } = tally;
  const at = (share: number): number => quantile(tally, share);
  return {
    count,
    mean: Number(sumOf(tally)) / UNITS / count,
    min,
    max,
    median: at(0.5),
    p1: at(0.01),
    p5: at(0.05),
    p25: at(0.25),
    p75: at(0.75),
    p95: at(0.95),
    p99: at(0.99),
  };
}

/** Ratios that a bucket, or what lies beside the buckets, holds: how many, and between which bounds. */
interface Span {
  readonly count: number;
  readonly from: number;
  readonly to: number;
}

/**
 * The ratio of rank ⌊share · (count - 1)⌋, counted from 0, as if the ratios of a bucket lay in it at equal distances. NaN
 * where there are none.
 */
export function quantile(tally: Tally, share: number): number {
  const rank = Math.floor(share * (finiteCount(tally) - 1));
  let before = 0;
  for (const { count, from, to } of spans(tally)) {
    if (rank < before + count) {
      const value = from + (to - from) * ((rank - before + 0.5) / count);
      return Math.min(tally.max, Math.max(tally.min, value));
    }
    before += count;
  }
  return NaN;
}

function* spans({ zero, under, over, buckets, max }: Tally): Generator<Span, void> {
  yield { count: zero, from: 0, to: 0 };
  yield { count: under, from: 0, to: edge(0) };
  for (let i = 0; i < BUCKETS; i++) yield { count: buckets[i] ?? 0, from: edge(i), to: edge(i + 1) };
  yield { count: over, from: edge(BUCKETS), to: max };
}
