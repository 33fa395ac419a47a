/**
 * @file What tokens leave in the lists of the attention blocks, by the rules of the interpreter: worked out from their walks
 * alone.
 */
import type { KvPolicy, RevisitRule } from '../../../ir/index.ts';
import type { Walk } from '../../../runtime/index.ts';

export interface KvRules {
  readonly kv: KvPolicy;
  readonly revisit: RevisitRule;
  /** In ascending order of id. */
  readonly blocks: readonly { readonly id: number; readonly role: 'attention' | 'mlp' }[];
}

export interface KvStep {
  /** For each hop: entries that the block looks at; 0 for one without attention. */
  readonly seen: readonly number[];
  /** Blocks whose k and v were computed although the block was passed over, once for each time. */
  readonly projected: readonly number[];
  /** That the token leaves. */
  readonly entries: number;
}

/** Gives a function that takes the walks of a sequence, token by token. */
export function createKvLists({ kv, revisit, blocks }: KvRules): (walk: Walk) => KvStep {
  const attention = blocks.filter(({ role }) => role === 'attention').map(({ id }) => id);
  const isAttention = new Set(attention);
  const lengths = new Map<number, number>();
  return (walk) => {
    const own = new Map<number, { executed: number }>();
    const projected: number[] = [];
    const written: number[] = [];
    const pass = (from: number, to: number): void => {
      for (const id of attention.filter((id) => id > from && id < to)) {
        if (kv === 'project') projected.push(id);
        const fills = kv === 'project' || (kv === 'latest' && written.some((before) => before < id));
        if (fills && !own.has(id)) own.set(id, { executed: 0 });
      }
    };
    let from = -1;
    const seen = walk.map((id) => {
      pass(from, id);
      from = id;
      if (!isAttention.has(id)) return 0;
      const { executed } = own.get(id) ?? { executed: 0 };
      own.set(id, { executed: revisit === 'append' ? executed + 1 : 1 });
      written.push(id);
      return (lengths.get(id) ?? 0) + (own.get(id)?.executed ?? 0);
    });
    pass(from, Infinity);
    let entries = 0;
    for (const [id, { executed }] of own) {
      const left = Math.max(1, executed);
      entries += left;
      lengths.set(id, (lengths.get(id) ?? 0) + left);
    }
    return { seen, projected, entries };
  };
}
