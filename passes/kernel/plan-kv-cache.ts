/**
 * @file Sizes the KV cache: one pool of equal pages for the lists of all attention blocks.
 *
 *     kv none        =>        kv { slots: 16, width: 64, lists: 4, pages: 16, … }
 *
 * The pool holds the worst case, since a running program allocates nothing: every position of the context leaves as many
 * entries as hop cap, policy, revisit rule and edges allow. Programs without attention keep `kv` null.
 *
 * Under policy `latest` entries move from list to list, so their K and V must have the same heads everywhere.
 */
import { fail, kvBuffers, needsWalk, numberAttr } from '../../ir/index.ts';
import type { BlockInstance, KernelProgram, KvPlan, Successor } from '../../ir/index.ts';
import type { KernelPass } from '../pass.ts';

/** Entries of a page: long enough for vectors over slots, short enough that little of a last page is lost. */
const SLOTS = 16;
/** K and V, four bytes each. */
const BYTES_PER_COLUMN = 8;

export const planKvCache: KernelPass = {
  name: 'plan-kv-cache',
  summary: 'Size the pages and lists of the KV cache for the worst case.',
  stage: 'kernel',
  run: (program) => {
    if (program.kv !== null) return program;
    const kv = planKv(program);
    return kv === null ? program : { ...program, kv, buffers: [...program.buffers, ...kvBuffers(kv)] };
  },
};

/** Null when no block has a list. */
function planKv(program: KernelProgram): KvPlan | null {
  const lists = program.blocks.filter(({ list }) => list !== null);
  if (lists.length === 0) return null;
  checkShapes(program);
  const { context } = program;
  const visits = lists.map((block) => mostVisits(program, block));
  const perToken = mostEntries(program, visits);
  const entriesPerList = context * Math.max(...visits);
  const fullLists = visits.reduce((sum, count) => sum + Math.ceil((context * count) / SLOTS), 0);
  // Each list may end in a page that is not full.
  const fullTokens = Math.floor((context * perToken) / SLOTS) + lists.length;
  const width = Math.max(...kvShapes(program).map(([heads, size]) => heads * size));
  return {
    slots: SLOTS,
    width,
    lists: lists.length,
    pages: Math.min(fullLists, fullTokens),
    pagesPerList: Math.ceil(entriesPerList / SLOTS),
    entriesPerList,
    bytesPerTokenStatic: lists.length * width * BYTES_PER_COLUMN,
    bytesPerTokenWorst: perToken * width * BYTES_PER_COLUMN,
    at: null,
  };
}

/** Entries that a token leaves at most, in all lists. */
function mostEntries(program: KernelProgram, visits: readonly number[]): number {
  const { kv, maxHops } = program.routing;
  const atOnce = visits.reduce((sum, count) => sum + count, 0);
  if (!needsWalk(program)) return visits.length;
  if (kv === 'absent') return Math.min(atOnce, maxHops);
  // A token fills in every list that it does not execute; it can spend all its hops on one.
  return Math.min(atOnce, visits.length - 1 + Math.max(maxHops, 1));
}

/** Entries that a token leaves at most in the block's list. */
function mostVisits(program: KernelProgram, block: BlockInstance): number {
  if (program.routing.revisit === 'overwrite') return 1;
  const cycle = shortestCycle(program, block);
  return cycle === undefined ? 1 : 1 + Math.floor(Math.max(program.routing.maxHops - 1, 0) / cycle);
}

/** Hops from a block back to itself, or undefined where no path leads back. */
function shortestCycle({ blocks }: KernelProgram, start: BlockInstance): number | undefined {
  const successors = new Map<Successor, readonly Successor[]>(blocks.map(({ id, edge }) => [id, edge.successors]));
  const seen = new Set<Successor>();
  let front: readonly Successor[] = [start.id];
  for (let hops = 1; front.length > 0; hops++) {
    const next = new Set(front.flatMap((id) => successors.get(id) ?? []));
    if (next.has(start.id)) return hops;
    front = [...next].filter((id) => !seen.has(id));
    for (const id of front) seen.add(id);
  }
  return undefined;
}

/** Refuses lists of different shapes where entries are copied between them. */
function checkShapes(program: KernelProgram): void {
  if (program.routing.kv !== 'latest' || !needsWalk(program)) return;
  const shapes = kvShapes(program).map(([heads, size]) => `${heads} × ${size}`);
  const [first, other] = new Set(shapes);
  if (other === undefined) return;
  fail(
    'RC0706',
    `KV policy latest copies K and V between blocks, but some have ${first} of them, others ${other} (heads × columns)`,
    {
      help: 'choose --kv absent or --kv project',
    },
  );
}

/** KV heads and columns of each, of every body that appends. */
function kvShapes({ bodies }: KernelProgram): readonly (readonly [number, number])[] {
  const appends = bodies.flatMap(({ kernels }) => kernels.filter(({ kind }) => kind === 'append'));
  return appends.map(({ attrs }) => [numberAttr(attrs, 'kv_heads'), numberAttr(attrs, 'head_dim')]);
}
