/** @file Routes that know nothing of a token, at a given mean depth: what an oracle must be better than. */
import type { Walks } from './decide.ts';

export const baselines = ['random', 'static', 'exit'] as const;
export type Baseline = (typeof baselines)[number];

/**
 * Each token executes each block with probability depth / blocks.
 * @param draws - [token][block], uniform in [0, 1); with the same ones, a deeper route keeps what a shallower one does
 */
export function randomWalks(blocks: readonly number[], depth: number, draws: readonly Float64Array[]): Walks {
  const share = depth / blocks.length;
  return draws.map((row) => blocks.filter((_, i) => (row[i] ?? 1) < share));
}

/** A token executes the `count` most important blocks. @param ranking - from the least important block on */
export function staticWalk(ranking: readonly number[], count: number): readonly number[] {
  return ranking.slice(ranking.length - count).toSorted((a, b) => a - b);
}

/** A token leaves after the first `count` blocks. */
export function exitWalk(blocks: readonly number[], count: number): readonly number[] {
  return blocks.slice(0, count);
}

/**
 * Gives each token one of the two whole numbers next to `depth`, evenly spread: over n tokens their mean differs from it by
 * at most 1 / (2 n).
 */
export function countsAround(depth: number): () => number {
  let [tokens, given] = [0, 0];
  return () => {
    const count = Math.round(depth * ++tokens) - given;
    given += count;
    return count;
  };
}
