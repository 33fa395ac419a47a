/** @file Append and attend against plain loops, over lists of several pages, with poison in all unwritten slots. */
import assert from 'node:assert/strict';
import type { Buffer, KernelProgram, KvPlan } from '../../../ir/index.ts';
import { buffer, distance, kernel, numbers, place, programOf, readRow, rows, run, view, writeRow } from './support.ts';
import type { Running } from './support.ts';

interface Case {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly causal: boolean;
}

const ENTRIES = 40;
const CHUNK = 16;

export function kvPlan(lists: number, entries: number, width: number): KvPlan {
  const slots = 16;
  const pagesPerList = Math.ceil(entries / slots);
  return {
    slots,
    width,
    lists,
    pages: lists * pagesPerList,
    pagesPerList,
    entriesPerList: entries,
    bytesPerTokenStatic: 0,
    bytesPerTokenWorst: 0,
    at: null,
  };
}

/** One attention block that appends `$k`, `$v` and attends with `$q`; all but `$q` in one buffer, as fused projections are. */
function programFor({ heads, kvHeads, headDim, causal }: Case, scale: number): KernelProgram {
  const [width, kvWidth] = [heads * headDim, kvHeads * headDim];
  const buffers: Buffer[] = [buffer('$q', width), buffer('$kv', 2 * kvWidth), buffer('$out', width)];
  const kernels = [
    kernel(
      'append',
      null,
      { k: view('$kv', kvWidth), v: view('$kv', kvWidth, { from: kvWidth }) },
      { kv_heads: kvHeads, head_dim: headDim },
    ),
    kernel(
      'attend',
      view('$out', width),
      { q: view('$q', width) },
      { heads, kv_heads: kvHeads, head_dim: headDim, scale, causal },
    ),
  ];
  return place(
    programOf({
      buffers,
      chunk: CHUNK,
      kv: kvPlan(1, ENTRIES, kvWidth + 3),
      bodies: [{ name: 'attention', formals: [], kernels, fill: [] }],
      blocks: [
        {
          id: 0,
          role: 'attention',
          list: 0,
          edge: { router: null, successors: ['exit'] },
          body: 'attention',
          args: [],
        },
      ],
    }),
  );
}

/** The softmax-weighted values of entries 0 … extent - 1, for a query. */
function attention(test: Case, scale: number, q: readonly number[], entries: readonly (readonly number[])[]): number[] {
  const { heads, kvHeads, headDim } = test;
  return Array.from({ length: heads * headDim }, (_, column) => {
    const head = Math.floor(column / headDim);
    const kvHead = Math.floor(head / (heads / kvHeads));
    const at = (entry: readonly number[], part: number, d: number): number =>
      entry[part * kvHeads * headDim + kvHead * headDim + d] ?? NaN;
    const scores = entries.map((entry) => {
      let dot = 0;
      for (let d = 0; d < headDim; d++) dot += (q[head * headDim + d] ?? NaN) * at(entry, 0, d);
      return dot * scale;
    });
    const highest = Math.max(...scores);
    const weights = scores.map((score) => Math.exp(score - highest));
    const total = weights.reduce((a, b) => a + b, 0);
    return entries.reduce((sum, entry, i) => sum + ((weights[i] ?? NaN) / total) * at(entry, 1, column % headDim), 0);
  });
}

function writeInputs(running: Running, row: number, q: readonly number[], kv: readonly number[]): void {
  writeRow(running, '$q', row, q);
  writeRow(running, '$kv', row, kv);
}

const cases: readonly Case[] = [
  ...Array.from({ length: 20 }, (_, d) => ({ heads: 2, kvHeads: d % 2 === 0 ? 1 : 2, headDim: d + 1, causal: true })),
  { heads: 6, kvHeads: 2, headDim: 8, causal: true },
  { heads: 1, kvHeads: 1, headDim: 64, causal: true },
  { heads: 1, kvHeads: 1, headDim: 67, causal: true },
  { heads: 4, kvHeads: 4, headDim: 8, causal: false },
];

describe('attend', () => {
  for (const test of cases) {
    const [width, kvWidth] = [test.heads * test.headDim, test.kvHeads * test.headDim];
    const scale = 3 / Math.sqrt(test.headDim);
    const [queries, entries] = [rows(ENTRIES, width, 1), rows(ENTRIES, 2 * kvWidth, 2)];

    it(`is what plain loops give: ${JSON.stringify(test)}`, async () => {
      const running = await run(programFor(test, scale));
      const byDecode: number[][] = [];
      for (let position = 0; position < ENTRIES; position++) {
        writeInputs(running, 0, queries[position] ?? [], entries[position] ?? []);
        running.decode(position);
        const out = readRow(running, '$out', 0);
        const error = distance(out, attention(test, scale, queries[position] ?? [], entries.slice(0, position + 1)));
        assert.ok(error < 5e-6, `extent ${position + 1} is off by ${error}`);
        byDecode.push(out);
      }
      if (!test.causal) return;
      running.reset();
      for (let first = 0, count = 13; first < ENTRIES; first += count) {
        const rowsNow = Math.min(count, ENTRIES - first);
        for (let row = 0; row < rowsNow; row++) {
          writeInputs(running, row, queries[first + row] ?? [], entries[first + row] ?? []);
        }
        running.prefill(first, rowsNow);
        for (let row = 0; row < rowsNow; row++) assert.deepEqual(readRow(running, '$out', row), byDecode[first + row]);
      }
    });
  }

  it('lets every row see all rows when it is not causal', async () => {
    const test: Case = { heads: 2, kvHeads: 1, headDim: 6, causal: false };
    const running = await run(programFor(test, 1));
    const [queries, entries] = [rows(9, 12, 3), rows(9, 12, 4)];
    for (let row = 0; row < 9; row++) writeInputs(running, row, queries[row] ?? [], entries[row] ?? []);
    running.prefill(0, 9);
    for (let row = 0; row < 9; row++) {
      assert.ok(distance(readRow(running, '$out', row), attention(test, 1, queries[row] ?? [], entries)) < 5e-6);
    }
  });

  it('survives scores that differ by far more than exp can tell', async () => {
    const test: Case = { heads: 1, kvHeads: 1, headDim: 4, causal: true };
    const running = await run(programFor(test, 1));
    const value = numbers(4, 9);
    writeInputs(running, 0, [1e4, 0, 0, 0], [1e4, 0, 0, 0, ...value]);
    writeInputs(running, 1, [1e4, 0, 0, 0], [-1e4, 0, 0, 0, 1, 1, 1, 1]);
    running.prefill(0, 2);
    assert.deepEqual(readRow(running, '$out', 1), value);
  });

  it('traps rather than leave the pool', async () => {
    const test: Case = { heads: 1, kvHeads: 1, headDim: 4, causal: true };
    const running = await run(programFor(test, 1));
    const most = Math.ceil(ENTRIES / 16) * 16;
    for (let position = 0; position < most; position++) {
      writeInputs(running, 0, [0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0]);
      running.decode(position);
    }
    assert.throws(() => running.decode(most), WebAssembly.RuntimeError);
  });
});
