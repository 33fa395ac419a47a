/**
 * @file A toy routed model, as a kernel program and as the plain meaning of walks: one token after the other, in double
 * precision, over lists of entries.
 */
import { PANEL, WALK_END } from '../../../ir/index.ts';
import type { BlockInstance, Body, KernelProgram, KvPolicy, Routing, Weight } from '../../../ir/index.ts';
import { buffer, kernel, numbers, place, programOf, readRow, run, view, weight, writeRow } from './support.ts';
import type { Running } from './support.ts';

const WIDTH = 8;
const HEADS = 2;
const HEAD_DIM = WIDTH / HEADS;
const VOCABULARY = 11;
const CONTEXT = 40;
export const CHUNK = 7;
/** Ids have gaps, as after pruning. */
const BLOCKS = [
  { id: 0, role: 'attention' },
  { id: 1, role: 'mlp' },
  { id: 4, role: 'attention' },
  { id: 6, role: 'attention' },
  { id: 7, role: 'mlp' },
  { id: 10, role: 'attention' },
] as const;

export const blockIds = BLOCKS.map(({ id }) => id);

type Vector = readonly number[];

/** The program; straight when there is no routing. */
export function toyProgram(routing: Routing | null): KernelProgram {
  const x = view('$x', WIDTH, { routed: true });
  const shape = { kv_heads: HEADS, head_dim: HEAD_DIM };
  const kvOf = (name: '$qkv' | '$fill', from: number) => ({
    k: view(name, WIDTH, { from }),
    v: view(name, WIDTH, { from: from + WIDTH }),
  });
  const attention: Body = {
    name: 'attention',
    formals: [{ name: '@qkv', shape: [3 * WIDTH, WIDTH], layout: 'panels' }],
    kernels: [
      kernel('linear', view('$qkv', 3 * WIDTH), { x, weight: { weight: '@qkv' } }, { first: 0 }),
      kernel('append', null, kvOf('$qkv', WIDTH), shape),
      kernel(
        'attend',
        view('$a', WIDTH),
        { q: view('$qkv', WIDTH) },
        { heads: HEADS, ...shape, scale: 1, causal: true },
      ),
      kernel('binary', x, { a: x, b: view('$a', WIDTH) }, { function: 'add' }),
    ],
    fill: [
      kernel('linear', view('$fill', 2 * WIDTH), { x, weight: { weight: '@qkv' } }, { first: PANEL }),
      kernel('append', null, kvOf('$fill', 0), shape),
    ],
  };
  const mlp: Body = {
    name: 'mlp',
    formals: [{ name: '@w', shape: [WIDTH, WIDTH], layout: 'panels' }],
    kernels: [
      kernel(
        'linear',
        x,
        { x: view('$copy', WIDTH), weight: { weight: '@w' }, residual: x },
        { first: 0, act: 'tanh' },
      ),
    ],
    fill: [],
  };
  const copied: Body = { ...mlp, kernels: [kernel('copy', view('$copy', WIDTH), { x }), ...mlp.kernels] };
  const entry: Body = {
    name: 'entry',
    formals: [{ name: '@t', shape: [VOCABULARY, WIDTH], layout: 'rows' }],
    kernels: [kernel('embed', view('$x', WIDTH), { ids: view('$ids', 1), table: { weight: '@t' } }, { offset: 0 })],
    fill: [],
  };
  const exit: Body = { name: 'exit', formals: [], kernels: [kernel('copy', view('$logits', WIDTH), { x })], fill: [] };
  const lists = BLOCKS.filter(({ role }) => role === 'attention').length;
  const perList = CONTEXT * (routing?.revisit === 'append' ? routing.maxHops : 1);
  const pagesPerList = Math.ceil(perList / 16);
  return place(
    programOf({
      context: CONTEXT,
      chunk: CHUNK,
      headRows: 3,
      routing: routing ?? { kv: 'absent', revisit: 'overwrite', maxHops: BLOCKS.length },
      weights: [weight('@table', [VOCABULARY, WIDTH]), ...BLOCKS.map(weightOf)],
      buffers: [
        buffer('$x', WIDTH),
        buffer('$qkv', 3 * WIDTH),
        buffer('$fill', 2 * WIDTH),
        buffer('$a', WIDTH),
        buffer('$copy', WIDTH),
        buffer('$logits', WIDTH, { rows: 'head' }),
      ],
      kv: {
        slots: 16,
        width: WIDTH,
        lists,
        pagesPerList,
        pages: lists * pagesPerList,
        entriesPerList: perList,
        bytesPerTokenStatic: 0,
        bytesPerTokenWorst: 0,
        at: null,
      },
      bodies: [entry, attention, copied, exit],
      entry: { body: 'entry', args: ['@table'], edge: edgeTo(0, routing) },
      blocks: BLOCKS.map((block, i): BlockInstance => ({
        ...block,
        list: block.role === 'attention' ? BLOCKS.slice(0, i).filter(({ role }) => role === 'attention').length : null,
        body: block.role,
        args: [weightOf(block).name],
        edge: edgeTo(i + 1, routing),
      })),
      exit: { body: 'exit', args: [] },
    }),
  );
}

function edgeTo(index: number, routing: Routing | null): BlockInstance['edge'] {
  const next = BLOCKS[index]?.id ?? ('exit' as const);
  return routing === null
    ? { router: null, successors: [next] }
    : { router: { kind: 'external' }, successors: [...new Set([next, ...blockIds, 'exit' as const])] };
}

function weightOf({ id, role }: (typeof BLOCKS)[number]): Weight {
  return weight(`@w${id}`, [role === 'attention' ? 3 * WIDTH : WIDTH, WIDTH], 'panels');
}

const table = numbers(VOCABULARY * WIDTH, 99);
/** Small enough that rounding errors do not grow from token to token. */
const weights = new Map<number, readonly number[]>(
  BLOCKS.map((block): [number, readonly number[]] => {
    const count = weightOf(block).shape.reduce((a, b) => a * b);
    return [block.id, numbers(count, block.id + 1).map((value) => Math.fround(value * 0.4))];
  }),
);

export async function runToy(routing: Routing | null, counters = false): Promise<Running> {
  const values = Object.fromEntries([...weights].map(([id, value]) => [`@w${id}`, value]));
  return run(toyProgram(routing), { '@table': table, ...values }, counters);
}

export interface ToyToken {
  readonly id: number;
  readonly walk: readonly number[];
}

/** Hidden states at the exit by `prefill` of the first tokens in chunks of this size, and `decode` of the others. */
export function runTokens(running: Running, tokens: readonly ToyToken[], prefilled: number, chunk = CHUNK): Vector[] {
  const { maxHops } = running.program.routing;
  const walks = running.program.buffers.some(({ name }) => name === '$walk');
  const set = (row: number, { id, walk }: ToyToken): void => {
    writeRow(running, '$ids', row, [id]);
    if (walks) writeRow(running, '$walk', row, [...walk, ...Array<number>(maxHops + 1 - walk.length).fill(WALK_END)]);
  };
  const result: Vector[] = [];
  for (let first = 0; first < prefilled; first += chunk) {
    const now = tokens.slice(first, Math.min(first + chunk, prefilled));
    now.forEach((token, row) => set(row, token));
    running.prefill(first, now.length);
    now.forEach((_, row) => {
      running.head(row, 1);
      result.push(readRow(running, '$logits', 0));
    });
  }
  tokens.slice(prefilled).forEach((token, i) => {
    set(0, token);
    running.decode(prefilled + i);
    running.head(0, 1);
    result.push(readRow(running, '$logits', 0));
  });
  return result;
}

interface Entry {
  readonly token: number;
  readonly k: Vector;
  readonly v: Vector;
  readonly executed: boolean;
}

/** The same by definition. */
export function meaning(tokens: readonly ToyToken[], routing: Routing): Vector[] {
  const lists = new Map<number, Entry[]>(BLOCKS.filter(({ role }) => role === 'attention').map(({ id }) => [id, []]));
  return tokens.map(({ id, walk }, token) => {
    let x: Vector = table.slice(id * WIDTH, (id + 1) * WIDTH);
    const log: { readonly block: number; readonly k: Vector; readonly v: Vector }[] = [];
    let left = -1;
    for (const block of [...walk.slice(0, routing.maxHops), WALK_END]) {
      for (const [passed, entries] of lists) {
        if (passed <= left || passed >= block || entries.some((entry) => entry.token === token && entry.executed)) {
          continue;
        }
        const kv = filled(routing.kv, passed, x, log);
        if (kv === undefined) continue;
        lists.set(passed, [...entries.filter((entry) => entry.token !== token), { token, ...kv, executed: false }]);
      }
      if (block === WALK_END) break;
      const entries = lists.get(block);
      if (entries === undefined) {
        x = add(x, matmul(block, 0, x).map(Math.tanh));
      } else {
        const kept = entries.filter(
          (entry) => entry.token !== token || (entry.executed && routing.revisit === 'append'),
        );
        const kv = project(block, x);
        const all = [...kept, { token, ...kv, executed: true }];
        lists.set(block, all);
        log.push({ block, ...kv });
        x = add(x, attend(matmul(block, 0, x).slice(0, WIDTH), all));
      }
      left = block;
    }
    return x;
  });
}

function filled(
  policy: KvPolicy,
  block: number,
  x: Vector,
  log: readonly { readonly block: number; readonly k: Vector; readonly v: Vector }[],
) {
  if (policy === 'absent') return undefined;
  if (policy === 'project') return project(block, x);
  const latest = log.filter((record) => record.block < block).at(-1);
  return latest === undefined ? undefined : { k: latest.k, v: latest.v };
}

function project(block: number, x: Vector): { readonly k: Vector; readonly v: Vector } {
  const kv = matmul(block, WIDTH, x);
  return { k: kv.slice(0, WIDTH), v: kv.slice(WIDTH) };
}

function matmul(block: number, first: number, x: Vector): number[] {
  const w = weights.get(block) ?? [];
  return Array.from({ length: w.length / WIDTH - first }, (_, o) =>
    x.reduce((sum, value, k) => sum + value * (w[(first + o) * WIDTH + k] ?? NaN), 0),
  );
}

function add(a: Vector, b: Vector): Vector {
  return a.map((value, i) => value + (b[i] ?? NaN));
}

function attend(q: Vector, entries: readonly Entry[]): Vector {
  return q.map((_, column) => {
    const start = column - (column % HEAD_DIM);
    const scores = entries.map(({ k }) =>
      [0, 1, 2, 3].reduce((sum, d) => sum + (q[start + d] ?? NaN) * (k[start + d] ?? NaN), 0),
    );
    const highest = Math.max(...scores);
    const shares = scores.map((score) => Math.exp(score - highest));
    const total = shares.reduce((a, b) => a + b, 0);
    return entries.reduce((sum, { v }, i) => sum + ((shares[i] ?? NaN) / total) * (v[column] ?? NaN), 0);
  });
}
