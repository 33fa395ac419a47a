/**
 * @file What the tokens of a batch leave at the attention blocks while they walk, side by side, what decode leaves token by
 * token.
 *
 * A token sees of an earlier one what that one left on its last visit. While all walk at once that visit may be yet to come: then
 * the pass before says when it will be, and lends its entry.
 */
import type { Entries } from './attend.ts';
import { source } from './sight.ts';

/** What a pass leaves at one block. */
export interface Left extends Entries {
  /** The hop of each token's last visit; −1 if there was none. */
  readonly hops: Int16Array;
}

/** By block. */
export type Leavings = ReadonlyMap<number, Left>;

export interface Entry {
  readonly live: Entries;
  /** The rows leave nothing. */
  readonly isAside: boolean;
  /** Where the entry is that others see, for each token; see {@link source}. */
  readonly from: Uint8Array;
  readonly before: Entries | undefined;
}

export interface Pass {
  /** Rows visit a block at some hop. */
  visit(block: number, hop: number, rows: Int32Array): Entry;
  /** At the end of the pass. */
  leavings(): Leavings;
}

/**
 * @param size - tokens, all of them, and the model's width
 * @param before - of the pass before; in the first there is none, and tokens see what is there
 * @param beside - of a pass that has ended, with the same `before`: tokens see of others what they saw there, and leave nothing
 */
export function createPass(
  { tokens, hidden }: { readonly tokens: number; readonly hidden: number },
  before?: Leavings,
  beside?: Leavings,
): Pass {
  const own = new Map<number, Left>();
  const isAside = beside !== undefined;
  return {
    visit: (block, hop, rows) => {
      const live = (beside ?? own).get(block) ?? {
        kv: new Float32Array(2 * tokens * hidden),
        hops: new Int16Array(tokens).fill(-1),
      };
      if (!isAside) {
        own.set(block, live);
        for (const row of rows) live.hops[row] = hop;
      }
      const lent = before?.get(block);
      const from = sources(live.hops, before && (lent?.hops ?? 'nobody'), hop);
      return { live, isAside, from, before: lent };
    },
    leavings: () => own,
  };
}

/**
 * Where the last visits of all tokens are found.
 * @param hops - of their last visits in this pass: so far, or when it had ended @param before - in the pass before
 */
function sources(hops: Int16Array, before: Int16Array | 'nobody' | undefined, now: number): Uint8Array {
  const found = new Uint8Array(hops.length);
  if (before === 'nobody') return found;
  for (let row = 0; row < found.length; row++) {
    const last = before === undefined ? hops[row] : before[row];
    if (last === undefined || last < 0) continue;
    const isLive = hops[row] === last && last <= now;
    if (isLive || before !== undefined) found[row] = isLive ? source.live : source.before;
  }
  return found;
}
