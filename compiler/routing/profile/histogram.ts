/**
 * @file The buckets that residual ratios are counted in: 64 to the octave, from 2⁻²⁰ to 2¹².
 *
 * Bucket i holds ratios from `edge(i)` up to, not including, `edge(i + 1)`. An edge is a product of square roots of two,
 * which IEEE 754 rounds alike everywhere, so every machine counts a ratio in the same bucket. (Of logarithms and powers it
 * says no such thing.) A ratio read off its bucket is wrong by at most 1.1 %.
 */

export const PER_OCTAVE = 64;
/** Powers of two. */
export const LOWEST = -20;
export const HIGHEST = 12;
export const BUCKETS = PER_OCTAVE * (HIGHEST - LOWEST);

/** 2^(k / 64) for k of 0 … 63. */
const steps: readonly number[] = Array.from({ length: PER_OCTAVE }, (_, k) => {
  let [product, root] = [1, 2];
  for (let bit = PER_OCTAVE / 2; bit >= 1; bit /= 2) {
    root = Math.sqrt(root);
    if ((k & bit) !== 0) product *= root;
  }
  return product;
});

const edges = Float64Array.from({ length: BUCKETS + 1 }, (_, i) => {
  return (steps[i % PER_OCTAVE] ?? NaN) * 2 ** (LOWEST + Math.floor(i / PER_OCTAVE));
});

/** The lower edge of bucket i; that of bucket {@link BUCKETS} is the end. */
export function edge(i: number): number {
  return edges[i] ?? NaN;
}

/** The bucket of a positive number; -1 below the first one, {@link BUCKETS} from the end of the last one on. */
export function bucketOf(ratio: number): number {
  if (ratio < edge(0)) return -1;
  if (ratio >= edge(BUCKETS)) return BUCKETS;
  // The logarithm is a guess, the edges decide.
  let bucket = Math.min(BUCKETS - 1, Math.max(0, Math.floor((Math.log2(ratio) - LOWEST) * PER_OCTAVE)));
  while (ratio < edge(bucket)) bucket--;
  while (ratio >= edge(bucket + 1)) bucket++;
  return bucket;
}
