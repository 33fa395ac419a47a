/**
 * @file What traces give in decoding: a model with routers, compiled without routes and with those of its own text, side by side.
 *
 *     npm run bench:traces -- [--model examples/sotu-radial] [--tokens 200] [--rounds 5] [--out test/bench/results/traces.json]
 *
 * The first half of `--tokens` is for the compiler, the second is what is timed. Both programs decode it by their own
 * routers, in one process, token by token in turns; what counts is the median ratio of the pairs.
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from '../../compiler/build.ts';
import type { Built } from '../../compiler/build.ts';
import { trafficOf } from '../../compiler/routing/index.ts';
import { createRandom } from '../../ir/index.ts';
import type { Traffic } from '../../passes/index.ts';
import type { Program } from '../../runtime/program.ts';
import { decode, median, start } from './decoding.ts';

const SEED = 1;

const { values: options } = parseArgs({
  options: {
    model: { type: 'string', default: fileURLToPath(new URL('../../examples/sotu-radial', import.meta.url)) },
    tokens: { type: 'string', default: '200' },
    rounds: { type: 'string', default: '5' },
    out: { type: 'string', default: fileURLToPath(new URL('results/traces.json', import.meta.url)) },
  },
});
const tokens = Number(options.tokens);

interface Opened {
  readonly built: Built;
  readonly program: Program;
}

async function open(traffic?: Traffic): Promise<Opened> {
  const built = await build({ input: options.model, traffic });
  try {
    return { built, program: await start(built) };
  } finally {
    built.close();
  }
}

const plain = await open();
const random = createRandom(SEED);
/** A text of likely tokens: the second most likely now and then, so that it does not repeat itself. */
const ids = [random() % plain.built.info.shapes.outputs];
const walks: (readonly number[])[] = [];
for (let position = 0; position < tokens; position++) {
  decode(plain.program, position, ids[position] ?? 0, undefined);
  walks.push(plain.program.walk(0));
  const [logits = new Float32Array()] = plain.program.logits(0, 1);
  const ranked = Array.from(logits.keys()).sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0));
  ids.push(ranked[random() % 3] ?? 0);
}
const half = Math.floor(tokens / 2);
const blocks = plain.built.info.routing.blocks.length;
const traced = await open({ blocks, edges: trafficOf(walks.slice(0, half), []).edges });
const traces = (traced.built.program.traces ?? []).map((trace) => trace.blocks);

const ratios: number[] = [];
let follows = 0;
for (let round = 0; round < Number(options.rounds); round++) {
  plain.program.reset();
  traced.program.reset();
  for (let position = 0; position < tokens; position++) {
    const id = ids[position] ?? 0;
    // Who comes first alternates: the second one finds warmer caches.
    const order = position % 2 === 0 ? [plain, traced] : [traced, plain];
    const times = new Map(order.map((opened) => [opened, decode(opened.program, position, id, undefined).blocks]));
    if (traced.program.walk(0).join() !== walks[position]?.join()) throw new Error('internal: another route');
    if (round > 0 && position >= half) ratios.push((times.get(traced) ?? NaN) / (times.get(plain) ?? NaN));
  }
}
const hops = walks.slice(half).flatMap((walk) => walk.slice(1).map((to, i) => [walk[i], to] as const));
for (const [from, to] of hops) {
  const trace = traces.find((blocks) => from !== undefined && blocks.includes(from));
  if (trace?.[trace.indexOf(from ?? 0) + 1] === to) follows++;
}
const report = {
  what: 'decode time of the blocks with traces, over that without; paired, own routers',
  command: `npm run bench:traces -- --tokens ${options.tokens} --rounds ${options.rounds}`,
  seed: SEED,
  environment: { node: process.version, v8: process.versions.v8, cpu: cpus()[0]?.model ?? '', cores: cpus().length },
  traces,
  hopsAlongTraces: follows / hops.length,
  wasmBytes: { plain: plain.built.wasm.byteLength, traced: traced.built.wasm.byteLength },
  ratio: median(ratios),
  quartiles: [0.25, 0.75].map((q) => [...ratios].sort((a, b) => a - b)[Math.floor(q * ratios.length)]),
  pairs: ratios.length,
};
writeFileSync(options.out, `${JSON.stringify(report, null, 1)}\n`);
console.log(
  `traces: ${traces.map((trace) => trace.join('-')).join(', ')}\n` +
    `${(100 * report.hopsAlongTraces).toFixed(1)} % of the hops follow them; blocks take ${(100 * report.ratio).toFixed(1)} % of the time`,
);
