/**
 * @file What the rows of a visit see. The keys of a sequence are those of the tokens that have left something, close together;
 * query row r looks at the first `ends[r]` of them, and at its own.
 */

/** Where the entry of a token is. */
export const source = { nowhere: 0, live: 1, before: 2 } as const;

/** Query rows that are multiplied at once with all keys that one of them sees. */
const CHUNK = 64;

/** What some rows see. */
export interface Sight {
  /** The keys, sequence by sequence. */
  readonly runs: readonly Run[];
  /** Of the runs together. */
  readonly keys: number;
  /** For each query, how many keys of its sequence it sees. */
  readonly ends: Int32Array;
  readonly chunks: readonly Chunk[];
}

/** Keys from `at` on, of tokens that follow one another from `row` on, all with their entries in one place. */
interface Run {
  readonly at: number;
  readonly row: number;
  count: number;
  readonly isLive: boolean;
}

/** Queries `first` … `last` − 1, of one sequence, whose keys begin at `key`; the last of them sees `count`. */
export interface Chunk {
  readonly first: number;
  readonly last: number;
  readonly key: number;
  readonly count: number;
}

/**
 * @param rows - of the queries among all tokens, ascending
 * @param from - for all tokens, where their entry is; see {@link source}
 */
export function planSight(rows: Int32Array, from: Uint8Array, tokens: number): Sight {
  const runs: Run[] = [];
  const ends = new Int32Array(rows.length);
  const chunks: Chunk[] = [];
  let keys = 0;
  for (let next = 0; next < rows.length;) {
    const [begin, key] = [next, keys];
    const start = tokens * Math.floor((rows[next] ?? NaN) / tokens);
    for (let row = start; (rows[next] ?? Infinity) < start + tokens; row++) {
      if (rows[next] === row) ends[next++] = keys - key;
      const where = from[row];
      if (where === source.nowhere) continue;
      const [isLive, run] = [where === source.live, runs.at(-1)];
      if (run?.isLive === isLive && run.row + run.count === row) run.count++;
      else runs.push({ at: keys, row, count: 1, isLive });
      keys++;
    }
    for (let first = begin; first < next; first += CHUNK) {
      const last = Math.min(next, first + CHUNK);
      chunks.push({ first, last, key, count: ends[last - 1] ?? 0 });
    }
  }
  return { runs, keys, ends, chunks };
}
