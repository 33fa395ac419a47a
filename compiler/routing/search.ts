/** @file Finds a threshold at which a router or an oracle reaches a mean depth. Depth falls as thresholds rise, or nearly so. */

/** A threshold, and the mean depth that it leads to, in blocks. */
export interface Reached {
  readonly threshold: number;
  readonly depth: number;
}

export interface DepthSearch {
  /** Mean depth. */
  readonly target: number;
  /** How far from it will do. */
  readonly tolerance: number;
  /** Thresholds that are tried at most, one at least. */
  readonly tries: number;
  /** What is known already. */
  readonly known: readonly Reached[];
  /** Tried first, where what is known does not rule it out. */
  readonly guess?: number | undefined;
  /** A threshold to try between two, the first of which leads too deep, the second not deep enough. */
  readonly between: (low: number, high: number) => number;
  /** Largest and smallest depth: thresholds that are not tried. */
  readonly ends: readonly [number, number];
  readonly measure: (threshold: number) => Promise<number>;
}

/** Bisection: what came nearest to the target, of what is known and what was tried. */
export async function searchDepth(search: DepthSearch): Promise<Reached> {
  const { target, tolerance, tries, known, guess, between, measure } = search;
  let [low, high] = search.ends;
  let best: Reached | undefined;
  const learn = (reached: Reached): void => {
    const { threshold, depth } = reached;
    if (best === undefined || Math.abs(depth - target) < Math.abs(best.depth - target)) best = reached;
    if (depth > target) low = Math.max(low, threshold);
    else high = Math.min(high, threshold);
  };
  for (const reached of known) learn(reached);
  for (let n = 0; n < tries; n++) {
    if (best !== undefined && Math.abs(best.depth - target) <= tolerance) break;
    const threshold = n === 0 && guess !== undefined && guess > low && guess < high ? guess : between(low, high);
    if (best !== undefined && (threshold <= low || threshold >= high)) break;
    learn({ threshold, depth: await measure(threshold) });
  }
  if (best === undefined) throw new Error('internal: a search without tries');
  return best;
}
