/** @file How the ways of routing are called and drawn: a colour and a symbol each, told apart by either. */
import type { RoutePoint, Series, Study } from '../routing/index.ts';

export interface Look {
  readonly name: string;
  /** A colour of the style sheet. */
  readonly colour: string;
  readonly symbol: 'circle' | 'triangle' | 'times' | 'square' | 'diamond' | 'star';
  readonly hollow: boolean;
}

export function lookOf(series: Series, { model }: Pick<Study, 'model'>): Look {
  const looks: Readonly<Record<Series, Look>> = {
    dense: { name: 'dense', colour: 'var(--ink)', symbol: 'star', hollow: false },
    learned: {
      name: model.router === 'hub' ? 'learned hub' : 'learned gates',
      colour: 'var(--learned)',
      symbol: 'circle',
      hollow: false,
    },
    'oracle-on': { name: 'oracle, on-policy', colour: 'var(--oracle)', symbol: 'triangle', hollow: false },
    'oracle-off': { name: 'oracle, off-policy', colour: 'var(--oracle)', symbol: 'triangle', hollow: true },
    random: { name: 'random', colour: 'var(--random)', symbol: 'times', hollow: true },
    static: { name: 'static', colour: 'var(--static)', symbol: 'square', hollow: true },
    exit: { name: 'early exit', colour: 'var(--exit)', symbol: 'diamond', hollow: true },
  };
  return looks[series];
}

/** The name with its setting. */
export function nameOf({ series, setting }: RoutePoint, study: Study): string {
  const { name } = lookOf(series, study);
  if (setting === null) return name;
  if (series === 'learned') return `${name} > ${setting}`;
  return series.startsWith('oracle') ? `${name} ≥ ${setting}` : `${name} at ${setting}`;
}

/** The route that traffic, passage, ratios and KV are of. */
export function studiedRoute({ routes, studied }: Study): RoutePoint {
  const route = routes[studied];
  if (route === undefined) throw new Error('internal: a study without its route');
  return route;
}

/** Depths to steps of the colour scale: from one end of the studied route to the other, a hundredth of the tokens left out at each. */
export interface DepthScale {
  readonly low: number;
  readonly high: number;
  readonly stepOf: (depth: number) => number;
}

export function depthScale(study: Study): DepthScale {
  const { depths } = studiedRoute(study);
  const tokens = depths.reduce((sum, count) => sum + count, 0);
  const reached = (share: number): number => {
    let before = 0;
    return depths.findIndex((count) => (before += count) > share * (tokens - 1));
  };
  const high = Math.max(1, reached(0.99));
  const low = Math.min(reached(0.01), high - 1);
  return { low, high, stepOf: (depth) => stepOf((depth - low) / (high - low + 0.001)) };
}

/** Steps of the sequential scale: colours `--q0` to `--q8`, with `--t0` to `--t8` to write on them. */
export const STEPS = 9;

/** @param share - from 0 to 1 */
export function stepOf(share: number): number {
  return Math.min(STEPS - 1, Math.max(0, Math.floor(share * STEPS)));
}
