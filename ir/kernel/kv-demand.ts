/**
 * @file How much the KV cache must hold in the worst case: a running program allocates nothing, so whatever hop cap,
 * policy, revisit rule and edges allow has its place. plan-kv-cache plans it, the verifier asks for it.
 */
import type { Successor } from '../types.ts';
import { needsWalk } from './types.ts';
import type { BlockInstance, KernelProgram } from './types.ts';

/** What of a program decides. */
type Walked = Pick<KernelProgram, 'routing' | 'entry' | 'blocks' | 'context'>;

export interface KvDemand {
  /** Entries in the longest list. */
  readonly entriesPerList: number;
  /** Entries that a token leaves at most, in all lists. */
  readonly entriesPerToken: number;
  /** Pages of so many slots, in all lists of a sequence together. */
  readonly pages: (slots: number) => number;
}

export interface KvShape {
  readonly heads: number;
  /** Of each head. */
  readonly columns: number;
}

/** Of a program in which some block has a list. */
export function kvDemand(program: Walked): KvDemand {
  const { context } = program;
  const visits = mostVisits(program);
  const entriesPerToken = mostEntries(program, visits);
  return {
    entriesPerList: context * visits.reduce((most, count) => Math.max(most, count), 0),
    entriesPerToken,
    pages: (slots) => {
      const fullLists = visits.reduce((sum, count) => sum + Math.ceil((context * count) / slots), 0);
      // Each list may end in a page that is not full.
      const fullTokens = Math.floor((context * entriesPerToken) / slots) + visits.length;
      return Math.min(fullLists, fullTokens);
    },
  };
}

/** KV heads and columns of each, of every body that appends. */
export function kvShapes({ bodies }: Pick<KernelProgram, 'bodies'>): readonly KvShape[] {
  const appends = bodies.flatMap(({ kernels }) => kernels.filter(({ kind }) => kind === 'append'));
  return appends.map(({ attrs }) => ({ heads: Number(attrs['kv_heads']), columns: Number(attrs['head_dim']) }));
}

/** Entries that a token leaves at most, in all lists. */
function mostEntries(program: Walked, visits: readonly number[]): number {
  const { kv, maxHops } = program.routing;
  const atOnce = visits.reduce((sum, count) => sum + count, 0);
  if (!needsWalk(program)) return visits.length;
  if (kv === 'absent') return Math.min(atOnce, maxHops);
  // A token fills in every list that it does not execute; it can spend all its hops on one.
  return Math.min(atOnce, visits.length - 1 + Math.max(maxHops, 1));
}

/** Entries that a token leaves at most in each list. */
function mostVisits({ routing, blocks }: Walked): readonly number[] {
  const lists = blocks.filter(({ list }) => list !== null);
  // Numbers ascend, so without an edge to the same or an earlier block no way leads back.
  const returns = blocks.some(({ id, edge }) => edge.successors.some((next) => next !== 'exit' && next <= id));
  if (routing.revisit === 'overwrite' || !returns) return lists.map(() => 1);
  const cycleOf = cycleFinder(blocks);
  return lists.map(({ id }) => 1 + Math.floor(Math.max(routing.maxHops - 1, 0) / cycleOf(id)));
}

/** Edges that are followed in all searches together; a hub of 80 blocks needs some thousands. */
const MAX_STEPS = 1_000_000;

/**
 * Finds the least number of hops from a block back to itself, Infinity where no way leads back. In graphs that take too
 * long to search the remaining blocks count as if they led to themselves, which is never too little.
 */
function cycleFinder(blocks: readonly BlockInstance[]): (start: Successor) => number {
  const successors = new Map<Successor, readonly Successor[]>(blocks.map(({ id, edge }) => [id, edge.successors]));
  let steps = 0;
  return (start) => {
    const seen = new Set<Successor>();
    let front: readonly Successor[] = [start];
    for (let hops = 1; front.length > 0; hops++) {
      const next: Successor[] = [];
      for (const id of front) {
        for (const successor of successors.get(id) ?? []) {
          if (successor === start) return hops;
          if (steps++ > MAX_STEPS) return 1;
          if (seen.has(successor)) continue;
          seen.add(successor);
          next.push(successor);
        }
      }
      front = next;
    }
    return Infinity;
  };
}
