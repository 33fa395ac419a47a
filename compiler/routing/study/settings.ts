/** @file What is compared where the caller does not say: thresholds and depths; and what cannot be asked for. */
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import type { Origin } from './models.ts';
import type { ProfileRatios } from './profile.ts';
import { roundedAscending, thresholdsAt } from './ratios.ts';
import type { RatioRow } from './ratios.ts';

/** Of a study. @throws RadialError RC1263 */
export function requireGates(
  { thresholds }: { readonly thresholds?: readonly number[] | undefined },
  origin: Origin,
): void {
  if (thresholds === undefined || origin.router === 'gate') return;
  fail('RC1263', `thresholds were given, but the model has ${origin.router === 'hub' ? 'a hub' : 'no routers'}`, {
    place: { file: origin.path },
    help: 'leave --thresholds out; --ratios sets the thresholds of the oracle',
  });
}

/** Of a sweep. @throws RadialError RC0274, RC1263 */
export function requireRouters(
  { thresholds, budgets }: Readonly<Record<'thresholds' | 'budgets', readonly number[] | undefined>>,
  { router, path }: Pick<Origin, 'router' | 'path'>,
): void {
  const place = { file: path };
  if (router === null) {
    const help = 'name a checkpoint that `radialc train` has given routers; `radialc eval` measures one without';
    fail('RC0274', 'the model has no routers of its own', { place, help });
  }
  if (router === 'gate' || (thresholds === undefined && budgets === undefined)) return;
  const [what, flag] = thresholds === undefined ? ['budgets', '--budget'] : ['thresholds', '--thresholds'];
  fail('RC1263', `${what} were given, but the model has a hub`, {
    place,
    help: `leave ${flag} out: where a hub leads, nothing sets but its training`,
  });
}

/** Shares of all block executions whose residual ratios lie below the thresholds of the oracle. */
const SHARES = [0.1, 0.25, 0.4, 0.55];

/** As asked for, or by the profile, or by the dense run. */
export function oracleThresholds(
  { ratios }: { readonly ratios?: readonly number[] | undefined },
  profile: ProfileRatios | null,
  dense: readonly (readonly RatioRow[])[],
): readonly number[] {
  if (ratios !== undefined) return [...new Set(ratios)].sort((a, b) => a - b);
  if (profile !== null && profile.thresholds.length > 0) return roundedAscending(profile.thresholds);
  return thresholdsAt(dense, SHARES);
}

/** Of the mean depths of baselines, in blocks. */
const LEAST_DISTANCE = 0.5;

/**
 * Mean depths of the baselines, ascending: those that other routes reach, the first ones first; without those that lie close
 * to one before, and with two more where fewer than three are left.
 */
export function depthsFor(reached: readonly number[], blocks: number): readonly number[] {
  const within = reached.map((depth) => Math.min(blocks, Number(depth.toFixed(3))));
  const add = (kept: readonly number[], depth: number): readonly number[] =>
    kept.every((other) => Math.abs(other - depth) >= LEAST_DISTANCE) ? [...kept, depth] : kept;
  const apart = within.reduce<readonly number[]>(add, []);
  const more = apart.length < 3 ? [blocks / 2, (3 * blocks) / 4] : [];
  return more.reduce(add, apart).toSorted((a, b) => a - b);
}
