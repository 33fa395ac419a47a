/**
 * @file Studies a model on text: its graph before and after the passes, what its blocks do, where tokens go, what that costs
 * and what it saves, beside the dense model, oracles and routes that know nothing.
 *
 * A checkpoint with gates or a hub is studied with them; one without is studied with an oracle, under KV policy `project`.
 * Memory: the walks and residual ratios of all tokens, and the logits of one window.
 */
import { DEFAULT_THRESHOLD } from '../../../ir/index.ts';
import { packageVersion } from '../../package-info.ts';
import { agreementOf, qualityOf } from '../eval/score.ts';
import { checkFile } from '../text/files.ts';
import { kvTable } from './kv-table.ts';
import { MATCHING_PASSES, matchedOracles } from './matched.ts';
import type { Match } from './matched.ts';
import { measure } from './measure.ts';
import { createPrograms, openOrigin } from './models.ts';
import type { Origin } from './models.ts';
import { createPasses } from './passes.ts';
import { costModel, predictedOf } from './predict.ts';
import type { CostModel } from './predict.ts';
import { prepare } from './prepare.ts';
import type { Prepared } from './prepare.ts';
import { readRatios } from './profile.ts';
import { binsOf, ratioTable } from './ratios.ts';
import type { RatioRow } from './ratios.ts';
import { createRoute, meanDepth, runBaselines, runDeciders, runDense, runRatios } from './routes.ts';
import type { Route, Runner } from './routes.ts';
import { depthsFor, oracleThresholds, requireGates } from './settings.ts';
import { STUDY_FORMAT, STUDY_VERSION, seriesNames } from './study.ts';
import type { PassageToken, RoutePoint, Series, Study, StudyRequest } from './study.ts';
import { trafficOf } from './traffic.ts';

const MOST_BINS = 16;
/** Gates that were trained long are sure of most tokens. */
const GATE_THRESHOLDS = [0.001, 0.05, 0.5, 0.95, 0.999];
/** Of the progress: the rest is timing. */
const TEXT_SHARE = 0.6;

/** @throws RadialError RC1203 to RC1205, RC1221 to RC1226, RC1261 to RC1263, and what compilation can end with */
export async function studyModel(request: StudyRequest): Promise<Study> {
  const { model, paths, signal } = request;
  for (const path of paths) checkFile(path, 'text');
  const origin = await openOrigin(model, signal);
  requireGates(request, origin);
  const profile = request.profile === undefined ? null : readRatios(request.profile, origin);
  const programs = createPrograms();
  try {
    return await study(await prepare(request, origin, programs, profile));
  } finally {
    programs.close();
  }
}

async function study(prepared: Prepared): Promise<Study> {
  const { request, origin, windows, external, oracle, against, main, profile } = prepared;
  const { seed, signal } = request;
  const ids = origin.network.blocks.map(({ id }) => id);
  const learned = origin.router === null ? undefined : main.model;
  const passes = createPasses((share) => {
    request.onProgress(share * (request.timing ? TEXT_SHARE : 1));
  });
  const runner: Runner = { windows, ids, external, oracle, learned, against, signal, onPass: passes.pass };
  const dense = await runDense(runner);
  const asked = decidersOf(prepared, oracleThresholds(request, profile, dense.ratios));
  const primary = primaryOf(asked, origin);
  const matches = learned !== undefined && request.ratios === undefined;
  // As many as there may be.
  const later = 1 + (asked.length + 2) * 3 + 1;
  passes.plan(windows.length * (1 + asked.length + (matches ? MATCHING_PASSES + 3 : 0) + later));
  await runDeciders(runner, asked);
  const match: Match = { depth: meanDepth(primary), ratios: dense.ratios, oracles: asked };
  const matched = matches ? await matchedOracles(runner, match) : [];
  passes.plan(windows.length * ((matched.length === 0 ? 0 : 1 + matched.length) + later));
  if (matched.length > 0) await runDeciders(runner, matched);
  const deciders = inOrder([...asked, ...matched]);
  const depths = depthsFor([primary, ...asked].map(meanDepth), ids.length);
  const baselines = (['random', 'static', 'exit'] as const).flatMap((name) => depths.map((d) => createRoute(name, d)));
  passes.plan(windows.length * (1 + baselines.length + 1));
  await runBaselines(runner, baselines, { ranking: dense.ranking, seed });
  const routed = await runRatios(runner, primary.walks);
  const routes = [dense.route, ...deciders, ...baselines];
  const cost = costOfRoutes(prepared);
  const bins = binsOf(Math.max(...windows.map((window) => window.ids.length)), MOST_BINS);
  return {
    ...describe(prepared),
    seed,
    routes: routes.map((route) => pointOf(route, prepared, cost)),
    studied: routes.indexOf(primary),
    traffic: trafficOf(primary.walks.flat(), ids),
    levels: prepared.levels.map(({ table }) => table),
    ratios: {
      bins,
      dense: ratioTable(dense.ratios, ids.length, bins),
      routed: ratioTable(routed, ids.length, bins),
      profile: profile && { file: profile.file, tokens: profile.tokens, blocks: profile.blocks },
    },
    passage: passageOf(prepared, primary, dense.ratios[0] ?? [], routed[0] ?? []),
    kv: kvTable(main.model.info, primary.walks),
    timing: request.timing
      ? await measure(prepared, routes, cost, (share) => {
          request.onProgress(TEXT_SHARE + (1 - TEXT_SHARE) * share);
        })
      : null,
  };
}

function decidersOf({ request, origin }: Prepared, ratios: readonly number[]): readonly Route[] {
  const { threshold = DEFAULT_THRESHOLD } = origin.network.routing;
  const gates = [...new Set([...(request.thresholds ?? GATE_THRESHOLDS), threshold])].sort((a, b) => a - b);
  const settings = { gate: gates, hub: [null], none: [] }[origin.router ?? 'none'];
  const oracles: readonly Series[] = ['oracle-on', 'oracle-off'];
  return [
    ...settings.map((setting) => createRoute('learned', setting)),
    ...oracles.flatMap((series) => ratios.map((ratio) => createRoute(series, ratio))),
  ];
}

/** Series by series, and in each the settings ascending. */
function inOrder(routes: readonly Route[]): readonly Route[] {
  const place = ({ series }: Route): number => seriesNames.indexOf(series);
  return routes.toSorted((a, b) => place(a) - place(b) || (a.setting ?? 0) - (b.setting ?? 0));
}

/** The learned router at the threshold of the model, or the oracle at one in the middle. */
function primaryOf(deciders: readonly Route[], { router, network }: Origin): Route {
  const [first] = deciders;
  const same = deciders.filter(({ series }) => series === first?.series);
  const { threshold = DEFAULT_THRESHOLD } = network.routing;
  const found =
    router === 'gate' ? same.find(({ setting }) => setting === threshold) : same[Math.floor((same.length - 1) / 2)];
  if (found === undefined) throw new Error('internal: no route to study');
  return found;
}

function costOfRoutes({ levels, external }: Prepared): CostModel {
  const [level] = levels;
  if (level === undefined) throw new Error('internal: no levels');
  const { routing, kv } = external.info;
  const rules = { kv: routing.kv, revisit: routing.revisit, blocks: routing.blocks };
  return costModel(level.network, rules, kv === null ? 0 : kv.pageBytes / kv.slots);
}

function pointOf({ series, setting, score, walks }: Route, { origin, windows }: Prepared, cost: CostModel): RoutePoint {
  const bytes = windows.reduce((sum, window) => sum + window.bytes, 0);
  const quality = qualityOf(score, bytes);
  const blocks = origin.network.blocks.length;
  const { flops, bytes: read, kvEntries } = predictedOf(cost, walks, series === 'learned');
  return {
    ...{ series, setting, skipped: 1 - quality.depth.mean / blocks },
    ...quality,
    ...agreementOf(score),
    depths: Array.from({ length: Math.max(blocks + 1, score.depths.length) }, (_, d) => score.depths[d] ?? 0),
    predicted: { flops, bytes: read },
    kvEntries,
  };
}

function passageOf(
  { windows, pieces }: Prepared,
  { walks }: Route,
  dense: readonly RatioRow[],
  routed: readonly RatioRow[],
): readonly PassageToken[] {
  const numbers = (row: RatioRow | undefined): readonly (number | null)[] =>
    Array.from(row ?? [], (ratio) => (Number.isFinite(ratio) ? Number(ratio.toPrecision(3)) : null));
  return pieces.map((text, i) => ({
    id: windows[0]?.ids[i] ?? 0,
    text,
    path: walks[0]?.[i] ?? [],
    dense: numbers(dense[i]),
    routed: numbers(routed[i]),
  }));
}

function describe({ request, origin, levels, main, files, windows, external }: Prepared) {
  const { network, path, sha256, family, router } = origin;
  const { info } = main.model;
  const { shapes, routing } = info;
  return {
    format: STUDY_FORMAT,
    version: STUDY_VERSION,
    producer: `radialc ${packageVersion()}`,
    model: {
      ...{ path, sha256, family, router },
      hidden: shapes.hidden,
      vocabulary: shapes.vocabulary,
      context: network.context,
      parameters:
        levels.at(-1)?.program.weights.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0) ?? 0,
      weightBytes: info.memory.weightsBytes,
      wasmBytes: main.wasmBytes,
      blocks: network.blocks.map(({ id, role }) => ({ id, role })),
    },
    against: request.against ?? null,
    routing: {
      kv: routing.kv,
      revisit: routing.revisit,
      maxHops: routing.maxHops,
      threshold: router === 'gate' ? routing.threshold : null,
      anchors: routing.anchors,
    },
    text: {
      files,
      window: Math.min(request.window ?? Infinity, external.info.shapes.context),
      maxTokens: request.maxTokens,
      windows: windows.length,
      tokens: windows.reduce((sum, { targets }) => sum + targets.length, 0),
      bytes: windows.reduce((sum, { bytes }) => sum + bytes, 0),
    },
  } as const;
}
