/**
 * @file The KV cache as the IR defines it, and attention over it.
 *
 * Each attention block has a list of entries in order of position. A token leaves there either one *filled* entry (it
 * passed the block over) or its *executed* entries (one; under `append` one for each visit). Executing replaces a fill;
 * a fill replaces an earlier fill, never an executed entry.
 */
import type { BlockId, RevisitRule } from '../types.ts';
import type { AttentionAttrs } from './evaluate.ts';
import { columnsOf, rowOf, rowsOf, tensor } from './tensor.ts';
import type { Tensor } from './tensor.ts';

export interface Entry {
  readonly position: number;
  readonly filled: boolean;
  readonly k: Float32Array | Int32Array;
  readonly v: Float32Array | Int32Array;
}

export type KvCache = Map<BlockId, Entry[]>;

export function entriesOf(cache: KvCache, block: BlockId): Entry[] {
  const entries = cache.get(block) ?? [];
  cache.set(block, entries);
  return entries;
}

/** Records that a token executed the block. */
export function writeExecuted(entries: Entry[], entry: Omit<Entry, 'filled'>, revisit: RevisitRule): void {
  const last = entries.at(-1);
  const replaces = last?.position === entry.position && (last.filled || revisit === 'overwrite');
  if (replaces) entries.pop();
  entries.push({ ...entry, filled: false });
}

/** Records what a token leaves at a block that it passes over. */
export function writeFilled(entries: Entry[], entry: Omit<Entry, 'filled'>): void {
  const last = entries.at(-1);
  if (last?.position === entry.position) {
    if (!last.filled) return;
    entries.pop();
  }
  entries.push({ ...entry, filled: true });
}

/** softmax(q · kᵀ · scale) · v, of each row, in each head. */
export function attendTo(q: Tensor, entries: readonly Entry[], attrs: AttentionAttrs): Tensor {
  const columns = columnsOf(q);
  const out = tensor(q.shape, new Float32Array(q.data.length));
  for (let r = 0; r < rowsOf(q); r++) {
    for (let head = 0; head < attrs.heads; head++) {
      attendHead(rowOf(q, r), rowOf(out, r), entries, head, attrs, columns);
    }
  }
  return out;
}

function attendHead(
  q: Float32Array | Int32Array,
  out: Float32Array | Int32Array,
  entries: readonly Entry[],
  head: number,
  { heads, kvHeads, scale }: AttentionAttrs,
  columns: number,
): void {
  const width = columns / heads;
  const from = head * width;
  const kvFrom = Math.floor(head / (heads / kvHeads)) * width;
  const scores = entries.map(({ k }) => {
    let dot = 0;
    for (let i = 0; i < width; i++) dot += (q[from + i] ?? 0) * (k[kvFrom + i] ?? 0);
    return dot * scale;
  });
  const highest = Math.max(...scores);
  const weights = scores.map((score) => Math.exp(score - highest));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  for (let i = 0; i < width; i++) {
    let sum = 0;
    entries.forEach(({ v }, e) => {
      sum += (weights[e] ?? 0) * (v[kvFrom + i] ?? 0);
    });
    out[from + i] = sum / total;
  }
}
