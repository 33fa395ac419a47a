/**
 * @file What gates cost and what they save, on an OPT-125M-shaped random model with a linear gate before each of its 24
 * blocks (width 768): decode time with all gates asked and open, beside the program without gates; and, where routes are
 * given, with these routes replayed.
 *
 *     npm run bench:gates -- [--routes FILE] [--prompts 64,512,1024] [--new 32] [--dtype fp32|q8-head|q8] \
 *       [--out test/bench/results/gates.json]
 *
 * FILE is what `radialc run --record` writes for a model of 24 blocks: its walks are taken in order, for the prompt and for
 * what is timed. Programs are instantiated in one process and take turns token by token; what counts is the median ratio of
 * the pairs. The head, 31 % of the weights, is always computed in full; ratios without it are given beside. All programs of
 * a run have the same number format.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from '../../compiler/build.ts';
import { readRoute } from '../../compiler/cli/route-file.ts';
import { initCheckpoint } from '../../compiler/frontend/index.ts';
import { createRandom } from '../../ir/index.ts';
import type { Walk } from '../../runtime/index.ts';
import type { Program } from '../../runtime/program.ts';
import { gates, writeRouters } from '../support/routers.ts';
import { decode, median, read, start } from './decoding.ts';
import type { Sample } from './decoding.ts';

const BLOCKS = 24;
const WIDTH = 768;
const SEED = 1;
/** Of a dense token's time that all gates together may take, and by how much replayed routes may miss their depth. */
const [GATE_BOUND, DEPTH_SLACK] = [0.02, 0.05];

const { values: options } = parseArgs({
  options: {
    routes: { type: 'string' },
    prompts: { type: 'string', default: '64,512,1024' },
    new: { type: 'string', default: '32' },
    dtype: { type: 'string', default: 'fp32' },
    out: { type: 'string', default: fileURLToPath(new URL('results/gates.json', import.meta.url)) },
  },
});

interface Ratio {
  /** Median of the pairs' ratios: of whole tokens, and of the blocks alone. */
  readonly ratio: number;
  readonly blocksRatio: number;
}

function ratioOf(samples: readonly Sample[], dense: readonly Sample[]): Ratio {
  const of = (time: (sample: Sample) => number): number =>
    median(samples.map((sample, i) => time(sample) / time(dense[i] ?? sample)));
  return { ratio: of(({ blocks, head }) => blocks + head), blocksRatio: of(({ blocks }) => blocks) };
}

/** The dense program, the one with gates, and the same again for replayed routes. */
interface Programs {
  readonly dense: Program;
  readonly gated: Program;
  readonly replayed: Program | undefined;
}

function measure({ dense, gated, replayed }: Programs, prompt: number, walks: readonly Walk[]): object {
  const random = createRandom(SEED);
  const id = (): number => random() % dense.info.shapes.outputs;
  let step = 0;
  const nextWalk = (): Walk => walks[step++ % Math.max(1, walks.length)] ?? [];
  gated.setThreshold(0);
  read(dense, prompt, id, () => undefined);
  read(gated, prompt, id, () => undefined);
  if (replayed !== undefined) read(replayed, prompt, id, nextWalk);
  const samples = { dense: [] as Sample[], gated: [] as Sample[], replayed: [] as Sample[] };
  const depths: number[] = [];
  for (let n = 0; n < Number(options.new); n++) {
    const [position, token] = [prompt + n, id()];
    samples.dense.push(decode(dense, position, token, []));
    samples.gated.push(decode(gated, position, token, undefined));
    if (gated.walk(0).length !== BLOCKS) throw new Error('internal: a gate was closed');
    if (replayed === undefined) continue;
    const walk = nextWalk();
    depths.push(walk.length);
    samples.replayed.push(decode(replayed, position, token, walk));
  }
  const cost = ratioOf(samples.gated, samples.dense);
  console.log(
    `after ${prompt} tokens: dense ${median(samples.dense.map(({ blocks, head }) => blocks + head)).toFixed(1)} ms a token; ` +
      `all gates asked ${(100 * cost.ratio).toFixed(1)} %`,
  );
  if (replayed === undefined) return { prompt, gates: cost, samples };
  const depth = depths.reduce((sum, blocks) => sum + blocks, 0) / depths.length / BLOCKS;
  const routes = ratioOf(samples.replayed, samples.dense);
  console.log(
    `  routes replayed: depth ${(100 * depth).toFixed(1)} %, time ${(100 * routes.ratio).toFixed(1)} %, ` +
      `without the head ${(100 * routes.blocksRatio).toFixed(1)} %`,
  );
  return { prompt, gates: cost, depth, depthBound: depth + DEPTH_SLACK, routes, samples };
}

/** The walks of a recorded route, prompt included. */
function walksOf(file: string, program: Program): readonly Walk[] {
  const { steps } = readRoute(file, program.info);
  return steps.map(({ path }) => path);
}

const folder = mkdtempSync(join(tmpdir(), 'radialc-bench-'));
try {
  const checkpoint = join(folder, 'checkpoint');
  const configPath = fileURLToPath(new URL('opt-125m.json', import.meta.url));
  await initCheckpoint({ configPath, seed: SEED, outDir: checkpoint });
  const gatedBlocks = Array.from({ length: BLOCKS }, (_, id) => id);
  writeRouters(checkpoint, { ...gates, blocks: BLOCKS, gatedBlocks, maxHops: BLOCKS, kv: 'latest' }, WIDTH);
  const open = async (route: 'sequential' | 'learned'): Promise<Program> => {
    const built = await build({ input: checkpoint, route, dtype: options.dtype });
    try {
      return await start(built);
    } finally {
      built.close();
    }
  };
  const [dense, gated] = [await open('sequential'), await open('learned')];
  const replayed = options.routes === undefined ? undefined : await open('learned');
  const walks = options.routes === undefined ? [] : walksOf(options.routes, gated);
  measure({ dense, gated, replayed }, 16, walks);
  const results = options.prompts
    .split(',')
    .map((prompt) => measure({ dense, gated, replayed }, Number(prompt), walks));
  const report = {
    what: `decode milliseconds a token, OPT-125M shape, random weights, ${options.dtype}, a linear gate before each of 24 blocks`,
    command: `npm run bench:gates -- ${options.routes === undefined ? '' : '--routes FILE '}--prompts ${options.prompts} --new ${options.new} --dtype ${options.dtype}`,
    seed: SEED,
    environment: { node: process.version, v8: process.versions.v8, cpu: cpus()[0]?.model ?? '', cores: cpus().length },
    bounds: { gates: 1 + GATE_BOUND, depthSlack: DEPTH_SLACK },
    results,
  };
  writeFileSync(options.out, `${JSON.stringify(report, null, 1)}\n`);
  console.log(`→ ${options.out}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
