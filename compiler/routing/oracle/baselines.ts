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

/** All tokens execute the `count` most important blocks. @param ranking - from the least important block on */
export function staticWalk(ranking: readonly number[], count: number): readonly number[] {
  return ranking.slice(ranking.length - count).toSorted((a, b) => a - b);
}

/** All tokens leave after as many blocks as are nearest to `depth`. */
export function exitWalk(blocks: readonly number[], depth: number): readonly number[] {
  return blocks.slice(0, Math.round(depth));
}

/**
 * Gives each window one of the two whole numbers next to `depth`, such that the mean over the tokens so far is as near to it
 * as they allow.
 */
export function countsAround(depth: number): (tokens: number) => number {
  let owed = 0;
  return (tokens) => {
    owed += depth * tokens;
    const count = Math.min(Math.ceil(depth), Math.max(Math.floor(depth), Math.round(owed / tokens)));
    owed -= count * tokens;
    return count;
  };
}
