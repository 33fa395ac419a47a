/**
 * @file What compiling costs and what skipping saves, on an OPT-125M-shaped random model: compile time, peak memory and
 * program size; decode time with all blocks, and with half of them.
 *
 *     npm run bench:routed -- [--prompts 64,512,1024,1536] [--new 24] [--out test/bench/results/routed-decode.json]
 *
 * Both are routes of one program, instantiated twice in one process, and take turns token by token; what counts is the
 * median ratio of the pairs. The masks are random, with half of the attention and half of the MLP blocks for each token,
 * also for those of the prompt (KV policy absent, so that the lists are half as long, too). The head, 31 % of the weights,
 * is always computed in full; the ratio without it is given beside.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build } from '../../compiler/build.ts';
import type { Metafile } from '../../compiler/build.ts';
import { initCheckpoint } from '../../compiler/frontend/index.ts';
import { createRandom } from '../../ir/index.ts';
import type { Walk } from '../../runtime/index.ts';
import type { Program } from '../../runtime/program.ts';
import { decode, median, read, start } from './decoding.ts';
import type { Sample } from './decoding.ts';

const BLOCKS = 24;
const CONTEXT = 2048;
/** What half of the blocks may take of the time of all of them. */
const BOUND = 0.6;
const radialc = fileURLToPath(new URL('../../dist/compiler/cli/main.js', import.meta.url));
const SEED = 1;

const { values: options } = parseArgs({
  options: {
    prompts: { type: 'string', default: '64,512,1024,1536' },
    new: { type: 'string', default: '24' },
    out: { type: 'string', default: fileURLToPath(new URL('results/routed-decode.json', import.meta.url)) },
  },
});

/** Half of the even (attention) and half of the odd (MLP) blocks, at random. */
function halfOf(random: () => number): Walk {
  const pick = (parity: number): readonly number[] => {
    const ids = Array.from({ length: BLOCKS / 2 }, (_, i) => 2 * i + parity);
    return ids
      .map((id) => ({ id, key: random() }))
      .sort((a, b) => a.key - b.key)
      .slice(0, BLOCKS / 4)
      .map(({ id }) => id);
  };
  return [...pick(0), ...pick(1)].sort((a, b) => a - b);
}

interface Side {
  readonly meanDepth: number;
  readonly medianMs: number;
  readonly medianBlocksMs: number;
  readonly samples: readonly Sample[];
}

interface Result {
  readonly prompt: number;
  readonly full: Side;
  readonly half: Side;
  /** Median of the pairs' ratios: of whole tokens, and of the blocks alone. */
  readonly ratio: number;
  readonly blocksRatio: number;
}

interface Compiling {
  /** Of the whole command. */
  readonly seconds: number;
  readonly wasmBytes: number;
  readonly weightBytes: number;
  readonly peakBytes: number;
  readonly peakToWeights: number;
  readonly loaderGzipBytes: number;
}

/** Two programs after the same prompt: one runs all blocks, the other half of them. */
function measure([all, routed]: readonly [Program, Program], prompt: number, count: number): Result {
  const random = createRandom(SEED);
  const id = (): number => random() % all.info.shapes.outputs;
  const everything = Array.from({ length: BLOCKS }, (_, block) => block);
  read(all, prompt, id, () => everything);
  read(routed, prompt, id, () => halfOf(random));
  const full: Sample[] = [];
  const half: Sample[] = [];
  for (let n = 0; n < count; n++) {
    full.push(decode(all, prompt + n, id(), everything));
    half.push(decode(routed, prompt + n, id(), halfOf(random)));
  }
  const ratios = (time: (sample: Sample) => number): number =>
    median(full.map((sample, n) => time(half[n] ?? sample) / time(sample)));
  return {
    prompt,
    full: sideOf(full, BLOCKS),
    half: sideOf(half, BLOCKS / 2),
    ratio: ratios(({ blocks, head }) => blocks + head),
    blocksRatio: ratios(({ blocks }) => blocks),
  };
}

function sideOf(samples: readonly Sample[], meanDepth: number): Side {
  const medianMs = median(samples.map(({ blocks, head }) => blocks + head));
  return { meanDepth, medianMs, medianBlocksMs: median(samples.map(({ blocks }) => blocks)), samples };
}

/** Compiles with the built command in a process of its own, as a user would. */
function compileApart(checkpoint: string, out: string): Compiling {
  const metafile = join(folder, 'metafile.json');
  const started = performance.now();
  const args = [radialc, 'compile', checkpoint, '-o', out, '--route', 'external', '--metafile', metafile];
  const { status } = spawnSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error('internal: the compilation failed');
  const seconds = (performance.now() - started) / 1000;
  const { wasmBytes, weightBytes, peakBytes } = JSON.parse(readFileSync(metafile, 'utf8')) as Metafile;
  const loaderGzipBytes = gzipSync(readFileSync(join(out, 'index.js'))).byteLength;
  return { seconds, wasmBytes, weightBytes, peakBytes, peakToWeights: peakBytes / weightBytes, loaderGzipBytes };
}

/** The bound of 0.60 and what was measured with half of the context in the cache. */
function headlineOf(results: readonly Result[]): object {
  const [result] = results.filter(({ prompt }) => prompt >= CONTEXT / 2);
  return { prompt: result?.prompt, ratio: result?.ratio, bound: BOUND, reached: (result?.ratio ?? NaN) <= BOUND };
}

const folder = mkdtempSync(join(tmpdir(), 'radialc-bench-'));
try {
  const checkpoint = join(folder, 'checkpoint');
  const configPath = fileURLToPath(new URL('opt-125m.json', import.meta.url));
  await initCheckpoint({ configPath, seed: SEED, outDir: checkpoint });
  const compiling = compileApart(checkpoint, join(folder, 'program'));
  console.log(
    `compile: ${compiling.seconds.toFixed(1)} s, peak memory ${compiling.peakToWeights.toFixed(2)} × the weights, ` +
      `model.wasm ${(compiling.wasmBytes / 1e3).toFixed(1)} KB, index.js ${(compiling.loaderGzipBytes / 1e3).toFixed(1)} KB (gzip)`,
  );
  const built = await build({ input: checkpoint, route: 'external' });
  const programs = [await start(built), await start(built)] as const;
  built.close();
  measure(programs, 16, 4);
  const results: Result[] = [];
  for (const prompt of options.prompts.split(',').map(Number)) {
    const result = measure(programs, prompt, Number(options.new));
    results.push(result);
    const [all, half] = [result.full.medianMs, result.half.medianMs];
    console.log(
      `after ${prompt} tokens: all blocks ${all.toFixed(1)} ms, half ${half.toFixed(1)} ms a token: ${(100 * result.ratio).toFixed(1)} %; ` +
        `without the head ${(100 * result.blocksRatio).toFixed(1)} %`,
    );
  }
  const report = {
    what: 'decode milliseconds a token, OPT-125M shape, random weights, fp32: all 24 blocks, and 12 of them',
    command: `npm run bench:routed -- --prompts ${options.prompts} --new ${options.new}`,
    seed: SEED,
    environment: { node: process.version, v8: process.versions.v8, cpu: cpus()[0]?.model ?? '', cores: cpus().length },
    compiling,
    headline: headlineOf(results),
    results,
  };
  writeFileSync(options.out, `${JSON.stringify(report, null, 1)}\n`);
  console.log(`→ ${options.out}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
