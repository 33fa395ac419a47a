/**
 * @file Sizes the KV cache: one pool of equal pages for the lists of all attention blocks.
 *
 *     kv none        =>        kv { slots: 16, width: 64, lists: 4, pages: 16, … }
 *
 * The pool holds the worst case, since a running program allocates nothing: in each sequence every position of the context
 * leaves as many entries as hop cap, policy, revisit rule and edges allow. Programs without attention keep `kv` null.
 *
 * Under policy `latest` entries move from list to list, so their K and V must have the same heads everywhere.
 */
import { fail, kvBuffers, kvDemand, kvShapes, needsWalk } from '../../ir/index.ts';
import type { KernelProgram, KvPlan } from '../../ir/index.ts';
import type { KernelPass } from '../pass.ts';
import { withBuffers } from './added-buffers.ts';

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
    return kv === null ? program : { ...withBuffers(program, kvBuffers(kv, program), 'plan-kv-cache'), kv };
  },
};

/** Null when no block has a list. */
function planKv(program: KernelProgram): KvPlan | null {
  const lists = program.blocks.filter(({ list }) => list !== null);
  if (lists.length === 0) return null;
  checkShapes(program);
  const { entriesPerList, entriesPerToken, pages } = kvDemand(program);
  const width = kvShapes(program).reduce((widest, { heads, columns }) => Math.max(widest, heads * columns), 0);
  return {
    slots: SLOTS,
    width,
    lists: lists.length,
    pages: program.sequences * pages(SLOTS),
    pagesPerList: Math.ceil(entriesPerList / SLOTS),
    entriesPerList,
    bytesPerTokenStatic: lists.length * width * BYTES_PER_COLUMN,
    bytesPerTokenWorst: entriesPerToken * width * BYTES_PER_COLUMN,
    at: null,
  };
}

/** Refuses lists of different shapes where entries are copied between them. */
function checkShapes(program: KernelProgram): void {
  if (program.routing.kv !== 'latest' || !needsWalk(program)) return;
  const shapes = kvShapes(program).map(({ heads, columns }) => `${heads} × ${columns}`);
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
