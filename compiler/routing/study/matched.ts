/**
 * @file Oracles at the mean depth of a learned router, so that the two can be compared.
 *
 * Off-policy, the ratios of the dense run say what a threshold comes to. On-policy, a ratio depends on what was skipped before
 * it: the threshold is searched between those that have been run.
 */
import { searchDepth } from '../search.ts';
import type { Reached } from '../search.ts';
import type { RatioRow } from './ratios.ts';
import { createRoute, meanDepth, oracleDepth } from './routes.ts';
import type { Route, Runner } from './routes.ts';

/** Blocks that the mean depths may differ by. */
const NEAR = 0.1;
/** Readings of the text that a search takes at most. */
export const MATCHING_PASSES = 8;

/** What an oracle is to be matched with. */
export interface Match {
  /** Mean depth, in blocks. */
  readonly depth: number;
  /** Of the dense run, [window][token]. */
  readonly ratios: readonly (readonly RatioRow[])[];
  /** Oracles that were run already. */
  readonly oracles: readonly Route[];
}

/** The routes that are missing, still to be run: one of each series that does not come near the depth yet. */
export async function matchedOracles(runner: Runner, { depth, ratios, oracles }: Match): Promise<readonly Route[]> {
  const target = Math.min(runner.ids.length, depth);
  const reached = (series: Route['series']): readonly Reached[] =>
    oracles
      .filter((route) => route.series === series)
      .map((route) => ({ threshold: route.setting ?? 0, depth: meanDepth(route) }));
  const isNear = (one: Reached): boolean => Math.abs(one.depth - target) <= NEAR;
  const offPolicy = thresholdFor(ratios, target);
  const found: Route[] = [];
  if (!reached('oracle-on').some(isNear)) {
    const { threshold } = await searchDepth({
      ...{ target, tolerance: NEAR, tries: MATCHING_PASSES, guess: offPolicy, ends: [0, Infinity] },
      known: [{ threshold: 0, depth: runner.ids.length }, ...reached('oracle-on')],
      between: (low, high) => {
        if (high === Infinity) return rounded(low === 0 ? 1 : 2 * low);
        return rounded(low === 0 ? high / 4 : Math.sqrt(low * high));
      },
      measure: (ratio) => oracleDepth(runner, ratio),
    });
    found.push(createRoute('oracle-on', threshold));
  }
  if (!reached('oracle-off').some(isNear)) found.push(createRoute('oracle-off', offPolicy));
  return found;
}

/** The threshold that leaves so many blocks to the mean token, by these ratios. */
export function thresholdFor(windows: readonly (readonly RatioRow[])[], depth: number): number {
  const rows = windows.flat();
  const all = rows.flatMap((row) => [...row]);
  const ratios = all.filter(Number.isFinite).sort((a, b) => a - b);
  const skipped = Math.min(ratios.length, Math.max(0, Math.round(all.length - depth * rows.length)));
  if (skipped === 0) return 0;
  const last = ratios[skipped - 1] ?? 0;
  const next = ratios[skipped] ?? 2 * last;
  return rounded((last + next) / 2);
}

function rounded(threshold: number): number {
  return Number(threshold.toPrecision(4));
}
