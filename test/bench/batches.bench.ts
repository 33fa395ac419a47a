/**
 * @file What stepping several sequences together gains, on the bundled model with gates: tokens a second of 1, 2, 4 and 8
 * sequences, each on its own way through the blocks, and the same with all blocks.
 *
 *     npm run bench:batches -- [--new 96] [--out test/bench/results/batches.json]
 *
 * A program for each number of sequences, all in one process; they take turns step by step, and what counts is the median
 * ratio of the pairs, in time of the processor, which says the same on a machine that others use. A step is a pass through the
 * blocks, the head for every row, and the choice of the next tokens. The first sequence must say the same in all of them.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from '../../compiler/build.ts';
import type { Built } from '../../compiler/build.ts';
import { createModel } from '../../runtime/index.ts';
import type { Program } from '../../runtime/program.ts';
import { createSampler } from '../../runtime/sampler.ts';
import { median, start } from './decoding.ts';

const SIZES = [1, 2, 4, 8];
const WARM_UP = 12;
const checkpoint = fileURLToPath(new URL('../../examples/sotu-radial', import.meta.url));
const openings = [
  'Mr. Speaker, Mr. Vice President, Members of Congress,',
  'The state of our Union is',
  'In the past year the Treasury has received',
  'To the Senate and House of Representatives:',
  'Our relations with foreign powers',
  'Tonight I ask the Congress to',
  'The report of the Secretary of War shows that',
  'We must protect our children and',
];

const { values: options } = parseArgs({
  options: {
    new: { type: 'string', default: '96' },
    out: { type: 'string', default: fileURLToPath(new URL('results/batches.json', import.meta.url)) },
  },
});

interface Batch {
  readonly program: Program;
  /** Of each sequence: its tokens so far. */
  readonly ids: readonly number[][];
  /** Milliseconds of each step. */
  readonly samples: number[];
  depth: number;
}

const sampler = createSampler({ temperature: 0, topK: undefined, topP: undefined, seed: 0 });

/** For each number of sequences a program that has read all but the last token of their prompts. */
async function prepare(route: 'learned' | 'sequential'): Promise<readonly Batch[]> {
  const [one, many] = [
    await build({ input: checkpoint, route }),
    await build({ input: checkpoint, route, sequences: Math.max(...SIZES) }),
  ];
  const prompts = await encode(one);
  const batches: Batch[] = [];
  for (const size of SIZES) {
    const program = await start(size === 1 ? one : many);
    const ids = prompts.slice(0, size).map((prompt) => [...prompt]);
    ids.forEach((prompt, sequence) => {
      const read = prompt.slice(0, -1);
      program.prefill({ sequence, first: 0, ids: read, walks: read.map(() => undefined) });
    });
    batches.push({ program, ids, samples: [], depth: 0 });
  }
  one.close();
  many.close();
  return batches;
}

async function encode({ info, wasm, tokenizer: [json, config] }: Built): Promise<readonly (readonly number[])[]> {
  assert(json !== undefined);
  const tokenizer = { tokenizer: json.bytes, config: config?.bytes };
  const model = await createModel({ info, wasm, fillWeights: () => undefined, tokenizer });
  return Promise.all(openings.map((text) => model.encode(text)));
}

/** One more token of each sequence. */
function step({ program, ids }: Batch): void {
  const { headRows } = program.info.shapes;
  program.step(
    ids.map((known, sequence) => {
      return { sequence, position: known.length - 1, id: known.at(-1) ?? 0, walk: undefined };
    }),
  );
  for (let row = 0; row < ids.length; row += headRows) {
    const logits = program.logits(row, Math.min(headRows, ids.length - row));
    logits.forEach((one, i) => ids[row + i]?.push(sampler(one)));
  }
}

function measure(batches: readonly Batch[], count: number): readonly object[] {
  const order = [...batches];
  for (let n = 0; n < count; n++) {
    for (const batch of order) {
      const started = process.cpuUsage();
      step(batch);
      const { user, system } = process.cpuUsage(started);
      batch.samples.push((user + system) / 1000);
      batch.ids.forEach((_, row) => (batch.depth += batch.program.walk(row).length));
    }
    order.reverse();
  }
  const [one] = batches;
  return batches.map(({ program, ids, samples, depth }) => {
    assert.deepEqual(ids[0], one?.ids[0]);
    const middle = median(samples);
    const gain = median(samples.map((ms, n) => (ids.length * (one?.samples[n] ?? NaN)) / ms));
    const { blocks } = program.info.routing;
    return {
      sequences: ids.length,
      medianStepMs: middle,
      tokensPerSecond: (1000 * ids.length) / middle,
      /** Tokens a second by those of one sequence: the median of the pairs. */
      gain,
      meanDepth: depth === 0 ? blocks.length : depth / (ids.length * count),
    };
  });
}

const results: Record<string, readonly object[]> = {};
for (const [name, route] of [
  ['gates', 'learned'],
  ['all blocks', 'sequential'],
] as const) {
  const batches = await prepare(route);
  for (let n = 0; n < WARM_UP; n++) batches.forEach(step);
  results[name] = measure(batches, Number(options.new));
  console.log(name);
  console.table(results[name]);
}
const report = {
  what: 'steps of several sequences, examples/sotu-radial, fp32: tokens a second with its gates, and with all blocks',
  command: `npm run bench:batches -- --new ${options.new}`,
  environment: { node: process.version, v8: process.versions.v8, cpu: cpus()[0]?.model ?? '', cores: cpus().length },
  results,
};
writeFileSync(options.out, `${JSON.stringify(report, null, 1)}\n`);
console.log(`→ ${options.out}`);
