/**
 * @file Speed of the linear kernels and of attention in the shapes of OPT-125M, as the target emits them.
 *
 *     node --no-liftoff --import ts-blank-space/register test/bench/kernels.bench.ts
 *
 * Each sample is one pass over 12 blocks of equal shape with weights of their own, more than a cache holds. Without
 * `--no-liftoff` the first samples run on the engine's baseline compiler.
 */
import { buffer, kernel, place, programOf, run, view, weight } from '../compiler/wasm/support.ts';
import type { Running } from '../compiler/wasm/support.ts';
import type { Body, KernelProgram } from '../../ir/index.ts';

const WIDTH = 768;
const INNER = 3072;
const HEADS = 12;
const BLOCKS = 12;
const ROWS = 128;
const CACHED = 512;
const GIGA = 1e9;

function mlpProgram(): KernelProgram {
  const body: Body = {
    name: 'mlp',
    formals: [weight('@up', [INNER, WIDTH], 'panels'), weight('@down', [WIDTH, INNER], 'panels')],
    kernels: [
      kernel(
        'linear',
        view('$h', INNER),
        { x: view('$x', WIDTH, { routed: true }), weight: { weight: '@up' } },
        { first: 0, act: 'relu' },
      ),
      kernel(
        'linear',
        view('$x', WIDTH, { routed: true }),
        {
          x: view('$h', INNER),
          weight: { weight: '@down' },
          residual: view('$x', WIDTH, { routed: true }),
        },
        { first: 0 },
      ),
    ],
    fill: [],
  };
  const ids = Array.from({ length: BLOCKS }, (_, id) => id);
  return place(
    programOf({
      chunk: ROWS,
      routing: { kv: 'absent', revisit: 'overwrite', maxHops: BLOCKS },
      weights: ids.flatMap((id) => [
        weight(`@up${id}`, [INNER, WIDTH], 'panels'),
        weight(`@down${id}`, [WIDTH, INNER], 'panels'),
      ]),
      buffers: [buffer('$x', WIDTH), buffer('$h', INNER)],
      bodies: [body],
      blocks: ids.map((id) => ({
        id,
        role: 'mlp',
        list: null,
        body: 'mlp',
        args: [`@up${id}`, `@down${id}`],
        edge: { router: null, successors: [id + 1 < BLOCKS ? id + 1 : 'exit'] },
      })),
    }),
  );
}

function attentionProgram(): KernelProgram {
  const headDim = WIDTH / HEADS;
  const shape = { kv_heads: HEADS, head_dim: headDim };
  const body: Body = {
    name: 'attention',
    formals: [],
    kernels: [
      kernel('append', null, { k: view('$x', WIDTH), v: view('$x', WIDTH) }, shape),
      kernel(
        'attend',
        view('$out', WIDTH),
        { q: view('$x', WIDTH) },
        { heads: HEADS, ...shape, scale: 0.125, causal: true },
      ),
    ],
    fill: [],
  };
  const pages = Math.ceil((CACHED + ROWS) / 16);
  return place(
    programOf({
      chunk: ROWS,
      context: CACHED + ROWS,
      buffers: [buffer('$x', WIDTH), buffer('$out', WIDTH)],
      kv: {
        slots: 16,
        width: WIDTH,
        lists: 1,
        pages,
        pagesPerList: pages,
        entriesPerList: pages * 16,
        bytesPerTokenStatic: 0,
        bytesPerTokenWorst: 0,
        at: null,
      },
      bodies: [body],
      blocks: [
        {
          id: 0,
          role: 'attention',
          list: 0,
          body: 'attention',
          args: [],
          edge: { router: null, successors: ['exit'] },
        },
      ],
    }),
  );
}

/** Milliseconds of processor time of each call: what other programs take of the machine is not in it. */
function samples(count: number, call: () => void): number[] {
  return Array.from({ length: count }, () => {
    const start = process.cpuUsage();
    call();
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1000;
  });
}

function report(what: string, unit: string, perCall: number, times: readonly number[]): void {
  const sorted = times.toSorted((a, b) => a - b);
  const rate = (fraction: number): string => {
    const time = sorted[Math.floor(fraction * (sorted.length - 1))] ?? NaN;
    return (perCall / GIGA / (time / 1000)).toFixed(1);
  };
  console.log(`${what}: ${rate(0.5)} / ${rate(0.1)} / ${rate(0)} ${unit} (median / best decile / best)`);
}

/** Zeros and other small numbers: no value is poison, none is denormal. */
function fillMemory({ f32, program }: Running): void {
  const from = program.memory?.weightsAt ?? 0;
  for (let i = from / 4; i < f32.length; i++) f32[i] = ((i % 17) - 8) / 256;
}

const mlp = await run(mlpProgram());
fillMemory(mlp);
mlp.i32.fill(0, 0, 16);
const elements = BLOCKS * 2 * WIDTH * INNER;
samples(5, () => mlp.decode(0));
report(
  'GEMV, 3072 × 768 and 768 × 3072',
  'GB/s',
  elements * 4,
  samples(60, () => mlp.decode(0)),
);
samples(1, () => mlp.prefill(0, ROWS));
report(
  `GEMM, the same for ${ROWS} rows`,
  'GFLOPS',
  elements * 2 * ROWS,
  samples(8, () => mlp.prefill(0, ROWS)),
);

const attention = await run(attentionProgram());
attention.f32.fill(0.01, 256);
const prefilled = (): void => {
  attention.reset();
  for (let first = 0; first < CACHED; first += ROWS) attention.prefill(first, ROWS);
};
const attended = (HEADS * (WIDTH / HEADS) * CACHED * (CACHED + 1)) / 2;
samples(3, prefilled);
report(`attention, ${CACHED} causal rows`, 'GFLOPS', 4 * attended, samples(20, prefilled));
