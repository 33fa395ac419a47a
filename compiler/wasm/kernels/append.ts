/** @file Writes K and V of rows to their slots, and copies entries from slot to slot. */
import type { FunctionBuilder } from '../asm/function.ts';
import type { ModuleBuilder } from '../asm/module.ts';
import { FLOAT_BYTES, f32, i32 } from '../asm/values.ts';
import type { I32 } from '../asm/values.ts';
import { kvOf } from '../plan/layout.ts';
import type { Layout } from '../plan/layout.ts';
import { moveToSequence, pageOf, pageTable, valuesOffset } from './kv.ts';
import { eachRow, listedRow } from './loops.ts';
import { numberOf, viewOf } from './site.ts';
import type { Operand, Site } from './site.ts';

interface Entry {
  /** Address of the first column of K; the next is `kStep` bytes on. */
  readonly k: I32;
  readonly kStep: number;
  /** Address of the first column of V in the first head; the next head is `vStep` bytes on. */
  readonly v: I32;
  readonly vStep: number;
}

/** The place of a slot in its page. */
function entryIn(layout: Layout, page: I32, slot: I32, heads: number, headDim: number): Entry {
  const { slots } = kvOf(layout);
  const within = i32.rem(slot, slots);
  return {
    k: i32.add(page, i32.mul(within, FLOAT_BYTES)),
    kStep: slots * FLOAT_BYTES,
    v: i32.add(i32.add(page, valuesOffset(layout, heads * headDim)), i32.mul(within, headDim * FLOAT_BYTES)),
    vStep: slots * headDim * FLOAT_BYTES,
  };
}

export function emitAppend(site: Site): void {
  const { layout } = site;
  const [heads, headDim] = [numberOf(site, 'kv_heads'), numberOf(site, 'head_dim')];
  const listOperand: Operand = {
    address: pageTable(layout, site.kv),
    shape: { kind: 'weight', shape: [], layout: 'rows' },
  };
  const operands = [viewOf(site, 'k'), viewOf(site, 'v'), listOperand];
  eachRow(site, `f32_append_${heads}x${headDim}`, operands, (f, row) => {
    const [key, value, table] = row.at;
    if (key === undefined || value === undefined || table === undefined) return;
    moveToSequence(f, layout, listedRow(row), { table });
    const slot = f.let('i32', i32.load(i32.add(layout.buffer('$slot').at, i32.mul(row.i, FLOAT_BYTES))));
    const entry = entryIn(layout, f.let('i32', pageOf(layout, table, slot)), slot, heads, headDim);
    const to = f.let('i32', entry.k);
    f.for(
      0,
      heads * headDim * FLOAT_BYTES,
      (at) => {
        f.storeF32(to, f32.load(i32.add(key, at)));
        f.increase(to, entry.kStep);
      },
      FLOAT_BYTES,
    );
    f.set<'i32'>(to, entry.v);
    f.for(0, heads, () => {
      f.copyBytes(to, value, headDim * FLOAT_BYTES);
      f.increase(to, entry.vStep);
      f.increase(value, headDim * FLOAT_BYTES);
    });
  });
}

/**
 * Copies one entry into another: (fromList, fromSlot, toList, toSlot). Both lists are of blocks with these heads.
 * Returns the function's name.
 */
export function defineCopyEntry(module: ModuleBuilder, layout: Layout, heads: number, headDim: number): string {
  const name = `f32_copy_entry_${heads}x${headDim}`;
  module.define(name, { params: ['i32', 'i32', 'i32', 'i32'] }, (f, [fromList, fromSlot, toList, toSlot]) => {
    const [source, target] = [entryOf(f, fromList, fromSlot), entryOf(f, toList, toSlot)];
    const [from, to] = [f.let('i32', source.k), f.let('i32', target.k)];
    f.for(0, heads * headDim, () => {
      f.storeF32(to, f32.load(from));
      f.increase(from, source.kStep);
      f.increase(to, target.kStep);
    });
    f.set<'i32'>(from, source.v);
    f.set<'i32'>(to, target.v);
    f.for(0, heads, () => {
      f.copyBytes(to, from, headDim * FLOAT_BYTES);
      f.increase(from, source.vStep);
      f.increase(to, target.vStep);
    });
  });
  return name;

  function entryOf(f: FunctionBuilder, list: I32, slot: I32): Entry {
    const page = f.let('i32', pageOf(layout, pageTable(layout, list), slot));
    return entryIn(layout, page, slot, heads, headDim);
  }
}
