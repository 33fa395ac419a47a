/**
 * @file Runs the text along many routes and keeps, for each, how well the model predicts and where each token went.
 *
 * Three readings: the dense run, whose residual ratios give the thresholds of the oracle; learned routers and oracles; then
 * baselines, at the mean depths that those before them have reached.
 */
import { createRandom } from '../../../ir/index.ts';
import type { ForwardResult, RadialModel, Walk } from '../../../runtime/index.ts';
import { rowOf } from '../eval/logits.ts';
import type { Row } from '../eval/logits.ts';
import { countRun, createScore, depthStatistics } from '../eval/score.ts';
import type { Score } from '../eval/score.ts';
import type { Window } from '../eval/windows.ts';
import { countsAround, exitWalk, randomWalks, staticWalk } from '../oracle/baselines.ts';
import type { Baseline } from '../oracle/baselines.ts';
import { decideOffPolicy } from '../oracle/decide.ts';
import { countNorms, createImportance, ranked } from '../oracle/importance.ts';
import { ratioRow } from './ratios.ts';
import type { RatioRow } from './ratios.ts';
import type { Series } from './study.ts';

/** A route over all windows. Changed in place while the text is read. */
export interface Route {
  readonly series: Series;
  readonly setting: number | null;
  readonly score: Score;
  /** [window][token]. */
  readonly walks: (readonly Walk[])[];
}

export interface Runner {
  readonly windows: readonly Window[];
  /** Of the blocks, in order. */
  readonly ids: readonly number[];
  /** With probes, takes any route. */
  readonly external: RadialModel;
  /** With an oracle of ‖f‖ / ‖x‖ where it is given no walk. */
  readonly oracle: RadialModel;
  /** With the routers of the checkpoint, where it has some. */
  readonly learned: RadialModel | undefined;
  /** The model that is compared with, where it is another one. */
  readonly against: RadialModel | undefined;
  readonly signal: AbortSignal;
  /** A pass over a window has ended. */
  readonly onPass: () => void;
}

export interface DenseRun {
  readonly route: Route;
  /** [window][token]. */
  readonly ratios: readonly (readonly RatioRow[])[];
  /** From the least important block on. */
  readonly ranking: readonly number[];
}

export function createRoute(series: Series, setting: number | null): Route {
  return { series, setting, score: createScore(), walks: [] };
}

/** All blocks for all tokens; the score is that of the model compared with, where it is another one. */
export async function runDense(runner: Runner): Promise<DenseRun> {
  const { external, against, windows, ids, signal } = runner;
  const [route, importance] = [createRoute('dense', null), createImportance(ids)];
  const ratios: (readonly RatioRow[])[] = [];
  for (const { ids: tokens, targets } of windows) {
    const run = await external.forward(tokens, { signal, ...(against !== undefined && { positions: [] }) });
    const dense = against === undefined ? run : await against.forward(tokens, { signal });
    const rows = dense.logits.map(rowOf);
    countRun(route.score, dense, targets, rows);
    route.walks.push(run.path);
    for (const norms of run.probes ?? []) countNorms(importance, norms);
    ratios.push((run.probes ?? []).map((norms) => ratioRow(norms, ids)));
    runner.onPass();
  }
  return { route, ratios, ranking: ranked(importance) };
}

/** The learned router and the oracles. Adds to their scores and walks. */
export async function runDeciders(runner: Runner, routes: readonly Route[]): Promise<void> {
  const { external, oracle, learned, windows, ids, signal } = runner;
  for (const window of windows) {
    const { ids: tokens, targets } = window;
    const { rows, probes } = await denseRows(runner, window);
    for (const route of routes) {
      const rule = { threshold: route.setting ?? 0, denominator: 'input' } as const;
      const threshold = route.setting ?? undefined;
      const runs: Readonly<Partial<Record<Series, () => Promise<ForwardResult> | undefined>>> = {
        learned: () => learned?.forward(tokens, { threshold, signal }),
        'oracle-on': () => oracle.forward(tokens, { threshold, signal }),
        'oracle-off': () => external.forward(tokens, { route: { walk: decideOffPolicy(probes, ids, rule) }, signal }),
      };
      const run = await runs[route.series]?.();
      if (run === undefined) throw new Error(`internal: nothing decides for ${route.series}`);
      countRun(route.score, run, targets, rows);
      route.walks.push(run.path);
      runner.onPass();
    }
  }
}

export interface BaselineRules {
  readonly ranking: readonly number[];
  readonly seed: number;
}

/** Routes that know nothing of a token; their settings are mean depths. Adds to their scores and walks. */
export async function runBaselines(runner: Runner, routes: readonly Route[], rules: BaselineRules): Promise<void> {
  const { external, windows, ids, signal } = runner;
  const random = createRandom(rules.seed);
  const counts = routes.map(({ setting }) => countsAround(setting ?? 0));
  for (const window of windows) {
    const { ids: tokens, targets } = window;
    const { rows } = await denseRows(runner, window);
    const draws = tokens.map(() => Float64Array.from(ids, () => random() / 2 ** 32));
    for (const [i, { series, setting, score, walks }] of routes.entries()) {
      const depth = setting ?? 0;
      const count = (): number => counts[i]?.() ?? 0;
      const walksOf: Readonly<Record<Baseline, () => readonly Walk[]>> = {
        random: () => randomWalks(ids, depth, draws),
        static: () => tokens.map(() => staticWalk(rules.ranking, count())),
        exit: () => tokens.map(() => exitWalk(ids, count())),
      };
      const walk = walksOf[series as Baseline]();
      countRun(score, await external.forward(tokens, { route: { walk }, signal }), targets, rows);
      walks.push(walk);
      runner.onPass();
    }
  }
}

/** Mean depth of the oracle that decides on-policy. */
export async function oracleDepth({ oracle, windows, signal, onPass }: Runner, threshold: number): Promise<number> {
  let [blocks, tokens] = [0, 0];
  for (const { ids } of windows) {
    const { path } = await oracle.forward(ids, { threshold, positions: [], signal });
    for (const walk of path) blocks += walk.length;
    tokens += path.length;
    onPass();
  }
  return blocks / tokens;
}

/** Residual ratios on these walks. */
export async function runRatios(runner: Runner, walks: Route['walks']): Promise<readonly (readonly RatioRow[])[]> {
  const { external, windows, ids, signal } = runner;
  const ratios: (readonly RatioRow[])[] = [];
  for (const [i, { ids: tokens }] of windows.entries()) {
    const { probes = [] } = await external.forward(tokens, { route: { walk: walks[i] ?? [] }, positions: [], signal });
    ratios.push(probes.map((norms) => ratioRow(norms, ids)));
    runner.onPass();
  }
  return ratios;
}

interface DenseRows {
  readonly rows: readonly Row[];
  readonly probes: readonly Float32Array[];
}

async function denseRows({ external, against, signal, onPass }: Runner, { ids }: Window): Promise<DenseRows> {
  const { logits, probes = [] } = await external.forward(ids, {
    signal,
    ...(against !== undefined && { positions: [] }),
  });
  const rows = (against === undefined ? logits : (await against.forward(ids, { signal })).logits).map(rowOf);
  onPass();
  return { rows, probes };
}

export function meanDepth({ score }: Route): number {
  return depthStatistics(score.depths).mean;
}
