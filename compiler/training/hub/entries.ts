/**
 * @file What the tokens of a batch leave at the attention blocks while they walk, side by side, what decode leaves token by
 * token.
 *
 * A token sees of an earlier one what that one left on its last visit. While all walk at once that visit may be yet to come: then
 * the pass before says when it will be, and lends its entry.
 */
import { source } from './attend.ts';
import type { Entries } from './attend.ts';

/** What a pass leaves at one block. */
export interface Left extends Entries {
  /** The hop of each token's last visit; −1 if there was none. */
  readonly hops: Int16Array;
}

/** By block. */
export type Leavings = ReadonlyMap<number, Left>;

export interface Entry {
  readonly live: Entries;
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
 */
export function createPass(
  { tokens, hidden }: { readonly tokens: number; readonly hidden: number },
  before: Leavings | undefined,
): Pass {
  const lives = new Map<number, Left>();
  return {
    visit: (block, hop, rows) => {
      const live = lives.get(block) ?? {
        kv: new Float32Array(2 * tokens * hidden),
        hops: new Int16Array(tokens).fill(-1),
      };
      lives.set(block, live);
      for (const row of rows) live.hops[row] = hop;
      const lent = before?.get(block);
      return { live, from: sources(live.hops, before && (lent?.hops ?? 'nobody')), before: lent };
    },
    leavings: () => lives,
  };
}

/** Where the last visits of all tokens are found. @param hops - so far @param before - in the pass before */
function sources(hops: Int16Array, before: Int16Array | 'nobody' | undefined): Uint8Array {
  const found = new Uint8Array(hops.length);
  if (before === 'nobody') return found;
  for (let row = 0; row < found.length; row++) {
    const last = before === undefined ? hops[row] : before[row];
    if (last === undefined || last < 0) continue;
    found[row] = hops[row] === last ? source.live : source.before;
  }
  return found;
}
