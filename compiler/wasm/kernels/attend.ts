/**
 * @file Attention of one query row over a KV list, head by head: scores, softmax, weighted sum.
 *
 * Only entries below the extent are ever used: what else a page holds may be anything, NaN included.
 */
import type { FunctionBuilder, Local } from '../asm/function.ts';
import { FLOAT_BYTES, VECTOR_BYTES, f32, f32x4, i32, i32x4, v128 } from '../asm/values.ts';
import type { I32 } from '../asm/values.ts';
import { dimGroups } from '../plan/attend.ts';
import type { DimGroup } from '../plan/attend.ts';
import { kvOf } from '../plan/layout.ts';
import type { Layout } from '../plan/layout.ts';
import { exp } from './functions.ts';
import { listLength, moveToSequence, pageAt, pageTable, valuesOffset } from './kv.ts';
import { eachRow, listedRow, maxLanes, sumLanes } from './loops.ts';
import { numberOf, outOf, viewOf } from './site.ts';
import type { Operand, Site } from './site.ts';

const VECTOR = 4;

interface HeadShape {
  readonly headDim: number;
  readonly kvColumns: number;
  readonly scale: number;
}

export function emitAttend(site: Site): void {
  const { layout, module } = site;
  const [heads, kvHeads, headDim] = [numberOf(site, 'heads'), numberOf(site, 'kv_heads'), numberOf(site, 'head_dim')];
  const causal = site.kernel.attrs['causal'] === true;
  const head = defineHead(site, { headDim, kvColumns: kvHeads * headDim, scale: numberOf(site, 'scale') });
  const { slots } = kvOf(layout);
  const plain = { kind: 'weight', shape: [], layout: 'rows' } as const;
  const table: Operand = { address: pageTable(layout, site.kv), shape: plain };
  const length: Operand = { address: listLength(layout, site.kv), shape: plain };
  const name = `f32_attend_${causal ? 'causal' : 'all'}_${heads}x${kvHeads}x${headDim}_${numberOf(site, 'scale')}`;
  eachRow({ ...site, module }, name, [viewOf(site, 'q'), outOf(site), table, length], (f, row) => {
    const [q, out, pages, entries] = row.at;
    if (q === undefined || out === undefined || pages === undefined || entries === undefined) return;
    moveToSequence(f, layout, listedRow(row), { table: pages, length: entries });
    const slot = i32.load(i32.add(layout.buffer('$slot').at, i32.mul(row.i, FLOAT_BYTES)));
    const extent = f.let('i32', causal ? i32.add(slot, 1) : i32.load(entries));
    f.for(0, heads, (h) => {
      const kvHead = i32.div(h, heads / kvHeads);
      f.call(head, [q, out, pages, i32.mul(kvHead, headDim * slots * FLOAT_BYTES), extent]);
      f.increase(q, headDim * FLOAT_BYTES);
      f.increase(out, headDim * FLOAT_BYTES);
    });
  });
}

/** (q, out, page table, offset of the head in K and in V, extent): one head of one row. Returns the function's name. */
function defineHead({ module, layout }: Site, shape: HeadShape): string {
  const name = `f32_attend_head_${shape.kvColumns}x${shape.headDim}_${shape.scale}`;
  module.define(name, { params: ['i32', 'i32', 'i32', 'i32', 'i32'] }, (f, [q, out, table, offset, extent]) => {
    const scores = layout.buffer('$scores').at;
    const highest = scoreEntries(f, layout, shape, { q, table, offset, extent });
    const highestOfAll = f.let('v128', f32x4.splat(maxLanes(highest)));
    const sum = f.let('v128', f32x4.splat(0));
    f.for(
      0,
      extent,
      (entry) => {
        const at = f.let('i32', i32.add(i32.mul(entry, FLOAT_BYTES), scores));
        const weight = f.let('v128', exp(f, f32x4.sub(f32x4.load(at), highestOfAll)));
        f.store(at, weight);
        f.set<'v128'>(sum, f32x4.add(sum, weight));
      },
      VECTOR,
    );
    const factor = f.let('v128', f32x4.splat(f32.div(1, sumLanes(sum))));
    for (const group of dimGroups(shape.headDim)) {
      sumValues(f, layout, shape, group, { table, offset, extent, out, factor });
    }
  });
  return name;
}

/** Writes q · k · scale of each entry to the scores, -∞ behind the extent; gives the highest of each lane. */
function scoreEntries(
  f: FunctionBuilder,
  layout: Layout,
  { headDim, scale }: HeadShape,
  { q, table, offset, extent }: Readonly<Record<'q' | 'table' | 'offset' | 'extent', Local<'i32'>>>,
): Local<'v128'> {
  const { slots } = kvOf(layout);
  const highest = f.let('v128', f32x4.splat(-Infinity));
  const to = f.let('i32', layout.buffer('$scores').at);
  const page = f.let('i32', table);
  const sums = Array.from({ length: slots / VECTOR }, () => f.local('v128'));
  const [query, score, end] = [f.local('v128'), f.local('v128'), f.let('i32', i32.add(q, headDim * FLOAT_BYTES))];
  f.for(
    0,
    extent,
    (entry) => {
      const key = f.let('i32', i32.add(pageAt(layout, page), offset));
      const from = f.let('i32', q);
      for (const sum of sums) f.set<'v128'>(sum, f32x4.splat(0));
      f.repeat(i32.ne(from, end), () => {
        f.set<'v128'>(query, f32x4.loadSplat(from));
        sums.forEach((sum, v) => {
          f.set<'v128'>(sum, f32x4.add(sum, f32x4.mul(query, f32x4.load(key, v * VECTOR_BYTES))));
        });
        f.increase(from, FLOAT_BYTES);
        f.increase(key, slots * FLOAT_BYTES);
      });
      sums.forEach((sum, v) => {
        const index = i32x4.add(i32x4.splat(i32.add(entry, v * VECTOR)), i32x4.constant([0, 1, 2, 3]));
        const inside = i32x4.lt(index, i32x4.splat(extent));
        f.set<'v128'>(score, v128.select(f32x4.mul(sum, f.constant(scale)), f.constant(-Infinity), inside));
        f.store(to, score, v * VECTOR_BYTES);
        f.set<'v128'>(highest, f32x4.atLeast(score, highest));
      });
      f.increase(to, slots * FLOAT_BYTES);
      f.increase(page, FLOAT_BYTES);
    },
    slots,
  );
  return highest;
}

/** Sums the values of a group of columns, entry after entry, and writes them times the factor. */
function sumValues(
  f: FunctionBuilder,
  layout: Layout,
  { headDim, kvColumns }: HeadShape,
  group: DimGroup,
  operands: Readonly<Record<'table' | 'offset' | 'extent' | 'out', Local<'i32'>>> & { readonly factor: Local<'v128'> },
): void {
  const { slots } = kvOf(layout);
  const { table, offset, extent, out, factor } = operands;
  const columns = [
    ...Array.from({ length: group.vectors }, (_, v) => ({ at: v * VECTOR_BYTES, whole: true })),
    ...Array.from({ length: group.singles }, (_, s) => ({
      at: group.vectors * VECTOR_BYTES + s * FLOAT_BYTES,
      whole: false,
    })),
  ].map((column) => ({ ...column, sum: f.let('v128', f32x4.splat(0)) }));
  const groupOffset = group.from * FLOAT_BYTES;
  const page = f.let('i32', table);
  const weight = f.let('i32', layout.buffer('$scores').at);
  const share = f.local('v128');
  f.for(
    0,
    extent,
    (entry) => {
      const start = i32.add(i32.add(pageAt(layout, page), offset), valuesOffset(layout, kvColumns) + groupOffset);
      const value = f.let('i32', start);
      const inPage: I32 = i32.min(i32.sub(extent, entry), slots);
      const end = f.let('i32', i32.add(weight, i32.mul(inPage, FLOAT_BYTES)));
      f.repeat(i32.ne(weight, end), () => {
        f.set<'v128'>(share, f32x4.loadSplat(weight));
        for (const { at, whole, sum } of columns) {
          const element = whole ? f32x4.load(value, at) : f32x4.loadFirst(value, at);
          f.set<'v128'>(sum, f32x4.add(sum, f32x4.mul(share, element)));
        }
        f.increase(weight, FLOAT_BYTES);
        f.increase(value, headDim * FLOAT_BYTES);
      });
      f.increase(page, FLOAT_BYTES);
    },
    slots,
  );
  for (const { at, whole, sum } of columns) {
    const result = f32x4.mul(sum, factor);
    if (whole) f.store(out, result, groupOffset + at);
    else f.storeFirst(out, result, groupOffset + at);
  }
}
