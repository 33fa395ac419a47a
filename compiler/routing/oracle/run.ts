/**
 * @file Simulates an oracle: runs texts with the blocks skipped that add little, and says what that costs; beside it, routes
 * of the same mean depth that know nothing.
 *
 * One program does all of it, with probes and with an oracle where it is given no walks, so that runs on the same walks give
 * the same bits.
 * The texts are read twice: first for the dense run and the oracle, then, when its mean depth and the importance of the
 * blocks are known, for the baselines.
 */
import { createRandom, fail } from '../../../ir/index.ts';
import type { Diagnostic } from '../../../ir/diagnostics/diagnostic.ts';
import type { KvPolicy } from '../../../ir/index.ts';
import type { ForwardOptions, ForwardResult, RadialModel } from '../../../runtime/index.ts';
import { commonCodec } from '../eval/codec.ts';
import { rowOf } from '../eval/logits.ts';
import { countRun, createScore, depthStatistics } from '../eval/score.ts';
import type { Score } from '../eval/score.ts';
import { requireLike } from '../eval/subjects.ts';
import type { Subject } from '../eval/subjects.ts';
import { shortTexts, windowsOf } from '../eval/windows.ts';
import type { Window } from '../eval/windows.ts';
import { openModel } from '../open.ts';
import type { OpenModel } from '../open.ts';
import type { Codec } from '../text/codec.ts';
import { checkFile, describeFile } from '../text/files.ts';
import type { InputFile } from '../text/files.ts';
import { countsAround, exitWalk, randomWalks, staticWalk } from './baselines.ts';
import type { Baseline } from './baselines.ts';
import { decideOffPolicy } from './decide.ts';
import type { Rule, Walks } from './decide.ts';
import { countNorms, createImportance, ranked } from './importance.ts';
import type { Importance } from './importance.ts';
import { createMeter } from './meter.ts';
import type { Meter } from './meter.ts';
import { countDecisions, createDecisions } from './router.ts';
import type { Decisions } from './router.ts';

/** What the numbers depend on, beside the model and the texts. */
export interface OracleSettings {
  readonly thresholds: readonly number[];
  readonly denominator: Rule['denominator'];
  readonly policy: 'on' | 'off';
  readonly kv: KvPolicy;
  readonly baselines: readonly Baseline[];
  /** Of the random baseline. */
  readonly seed: number;
  readonly maxTokens: number | null;
}

export interface OracleRequest extends OracleSettings {
  /** A checkpoint folder. */
  readonly model: string;
  /** Texts. */
  readonly paths: readonly string[];
  /** A model with learned routers, whose decisions are compared with the oracle's. */
  readonly router?: Subject | undefined;
  /** Default: the model's context. */
  readonly window?: number | undefined;
  readonly signal: AbortSignal;
  /** From 0 to 1. */
  readonly onProgress?: (share: number) => void;
}

/** What is counted for a threshold. */
export interface Level {
  readonly threshold: number;
  readonly oracle: Score;
  /** Of the router that is compared. */
  readonly decisions?: Decisions;
  readonly baselines: readonly { readonly name: Baseline; readonly score: Score }[];
}

export interface Oracle {
  readonly model: { readonly sha256: string; readonly family: string };
  /** SHA-256 of its files; null where there are none. */
  readonly tokenizer: string | null;
  readonly files: readonly InputFile[];
  readonly window: number;
  readonly settings: OracleSettings;
  readonly blocks: RadialModel['info']['routing']['blocks'];
  readonly windows: number;
  readonly bytes: number;
  readonly dense: Score;
  readonly importance: readonly Importance[];
  readonly levels: readonly Level[];
  /** RC1227. */
  readonly warnings: readonly Diagnostic[];
}

/** @throws RadialError RC1201, RC1203 to RC1205, RC1221, RC1225, RC1226, and what compilation can end with */
export async function simulateOracle(request: OracleRequest): Promise<Oracle> {
  const { kv, denominator, window, signal, paths } = request;
  for (const path of paths) checkFile(path, 'text');
  const opened = await openModel(request.model, { window, oracle: { kind: `oracle_${denominator}`, kv }, signal });
  try {
    const subject = { path: request.model, model: opened.model };
    requireLike(request.router === undefined ? [subject] : [subject, request.router]);
    requireBlocks(opened.model, request.router);
    const codec = await commonCodec([subject]);
    const files: InputFile[] = [];
    for (const path of paths) files.push(await describeFile(path, 'text', signal));
    return await simulate(opened, codec, files, request);
  } finally {
    opened.model.dispose();
  }
}

/** @throws RadialError RC1229 */
function requireBlocks({ info }: RadialModel, router: Subject | undefined): void {
  if (router === undefined) return;
  const { decides, blocks } = router.model.info.routing;
  const same = blocks.map(({ id }) => id).join() === info.routing.blocks.map(({ id }) => id).join();
  if (same && decides !== null) return;
  fail('RC1229', decides === null ? 'the model has no routers' : 'its blocks are others than those of the model', {
    place: { file: router.path },
    help: 'give --router a checkpoint that `radialc train` has made from this model, or a program compiled from it',
  });
}

async function simulate(
  { model, sha256, tokenizer }: OpenModel,
  codec: Codec,
  files: readonly InputFile[],
  request: OracleRequest,
): Promise<Oracle> {
  const { thresholds, denominator, policy, kv, baselines, seed, maxTokens, paths, onProgress } = request;
  const { shapes, routing, family } = model.info;
  const sweep: Sweep = {
    model,
    signal: request.signal,
    windows: () => windowsOf(codec, { paths, files, maxTokens }, shapes.context),
    ids: routing.blocks.map(({ id }) => id),
  };
  const levels = thresholds.map((threshold): Level => ({
    threshold,
    oracle: createScore(),
    ...(request.router && { decisions: createDecisions() }),
    baselines: baselines.map((name) => ({ name, score: createScore() })),
  }));
  // Passes of a window.
  const first = 1 + thresholds.length;
  const second = baselines.length === 0 ? 0 : 1 + thresholds.length * baselines.length;
  const share = first / (first + second);
  const found = await runOracle(
    sweep,
    levels,
    request,
    createMeter(first, (done) => onProgress?.(done * share)),
  );
  if (second > 0) {
    const meter = createMeter(second, (done) => onProgress?.(share + done * (1 - share)));
    await runBaselines(sweep, levels, { ranking: ranked(found.importance), seed }, meter);
  }
  return {
    model: { sha256, family },
    tokenizer,
    files,
    window: shapes.context,
    settings: { thresholds, denominator, policy, kv, baselines, seed, maxTokens },
    blocks: routing.blocks,
    levels,
    ...found,
  };
}

/** What both readings of the texts go over. */
interface Sweep {
  readonly model: RadialModel;
  readonly signal: AbortSignal;
  readonly windows: () => AsyncGenerator<Window, void>;
  /** Of the blocks, in order. */
  readonly ids: readonly number[];
}

async function runOracle(
  sweep: Sweep,
  levels: readonly Level[],
  { denominator, policy, router, paths, signal }: OracleRequest,
  meter: Meter,
): Promise<Pick<Oracle, 'windows' | 'bytes' | 'dense' | 'importance' | 'warnings'>> {
  const [dense, importance] = [createScore(), createImportance(sweep.ids)];
  let [windows, bytes, longest] = [0, 0, 0];
  for await (const window of sweep.windows()) {
    const forward = forwardOf(sweep, window, meter);
    const run = await forward({ route: { walk: window.ids.map(() => sweep.ids) } });
    const { probes = [] } = run;
    const rows = countRun(dense, run, window.targets);
    for (const norms of probes) countNorms(importance, norms);
    const routed = await router?.model.forward(window.ids, { positions: [], signal });
    for (const { threshold, oracle, decisions } of levels) {
      const rule: Rule = { threshold, denominator };
      const found = await forward(
        policy === 'on' ? { threshold } : { route: { walk: decideOffPolicy(probes, sweep.ids, rule) } },
      );
      countRun(oracle, found, window.targets, rows);
      if (decisions !== undefined) countDecisions(decisions, sweep.ids, routed?.path ?? [], found.path);
    }
    windows++;
    bytes += window.bytes;
    longest = Math.max(longest, window.ids.length);
  }
  const warnings = shortTexts(longest, sweep.model.info.shapes.context, paths);
  return { windows, bytes, dense, importance, warnings };
}

interface BaselineSettings {
  /** From the least important block on. */
  readonly ranking: readonly number[];
  readonly seed: number;
}

async function runBaselines(
  sweep: Sweep,
  levels: readonly Level[],
  { ranking, seed }: BaselineSettings,
  meter: Meter,
): Promise<void> {
  const { ids: blocks } = sweep;
  const random = createRandom(seed);
  const routed = levels.map((level) => {
    const depth = depthStatistics(level.oracle.depths).mean;
    return { ...level, depth, counts: { static: countsAround(depth), exit: countsAround(depth) } };
  });
  for await (const window of sweep.windows()) {
    const forward = forwardOf(sweep, window, meter);
    const each = (walk: () => readonly number[]): Walks => window.ids.map(walk);
    const rows = (await forward({ route: { walk: each(() => blocks) } })).logits.map(rowOf);
    const draws = window.ids.map(() => Float64Array.from(blocks, () => random() / 2 ** 32));
    for (const { baselines, depth, counts } of routed) {
      const walksOf: Readonly<Record<Baseline, () => Walks>> = {
        random: () => randomWalks(blocks, depth, draws),
        static: () => each(() => staticWalk(ranking, counts.static())),
        exit: () => each(() => exitWalk(blocks, counts.exit())),
      };
      for (const { name, score } of baselines) {
        countRun(score, await forward({ route: { walk: walksOf[name]() } }), window.targets, rows);
      }
    }
  }
}

/** Each call is a pass of the meter. */
function forwardOf(
  { model, signal }: Sweep,
  { ids, progress }: Window,
  meter: Meter,
): (options: ForwardOptions) => Promise<ForwardResult> {
  meter.begin(progress);
  return async (options) => {
    const result = await model.forward(ids, { ...options, signal });
    meter.pass();
    return result;
  };
}
