/**
 * @file Addresses inside the KV pool. A page holds K as [kv_heads][head_dim][slots], then V as [kv_heads][slots][head_dim].
 */
import { SEQUENCE } from '../../../ir/index.ts';
import type { FunctionBuilder, Local } from '../asm/function.ts';
import { FLOAT_BYTES, i32 } from '../asm/values.ts';
import type { I32 } from '../asm/values.ts';
import { kvOf } from '../plan/layout.ts';
import type { Layout } from '../plan/layout.ts';

/** Address of the page table of a list. */
export function pageTable(layout: Layout, list: I32): I32 {
  const { pagesPerList } = kvOf(layout);
  return i32.add(layout.buffer('$kv_table').at, i32.mul(list, pagesPerList * FLOAT_BYTES));
}

/** Address of the number of entries of a list. */
export function listLength(layout: Layout, list: I32): I32 {
  return i32.add(layout.buffer('$kv_length').at, i32.mul(list, FLOAT_BYTES));
}

/** The list of a block in the sequence that the token in a row belongs to. */
export function listOf(layout: Layout, list: I32, row: I32): I32 {
  return i32.add(i32.mul(sequenceOf(layout, row), kvOf(layout).lists), list);
}

/** Moves addresses in the first sequence, of a block's page table or length, to those of a row's sequence. */
export function moveToSequence(
  f: FunctionBuilder,
  layout: Layout,
  row: I32,
  addresses: Readonly<Partial<Record<'table' | 'length', Local<'i32'>>>>,
): void {
  const { lists, pagesPerList } = kvOf(layout);
  const bytes = { table: pagesPerList * FLOAT_BYTES, length: FLOAT_BYTES };
  for (const name of ['table', 'length'] as const) {
    const address = addresses[name];
    const offset = i32.mul(sequenceOf(layout, row), lists * bytes[name]);
    if (address !== undefined && offset !== 0) f.increase(address, offset);
  }
}

/** 0 in a program for one sequence. */
function sequenceOf(layout: Layout, row: I32): I32 {
  if (layout.program.sequences === 1) return 0;
  return i32.load(i32.add(layout.buffer(SEQUENCE).at, i32.mul(row, FLOAT_BYTES)));
}

/** Address of the page whose entry in the page table is at the address. */
export function pageAt(layout: Layout, tableEntry: I32): I32 {
  const { at, pageBytes } = kvOf(layout);
  return i32.add(i32.mul(i32.load(tableEntry), pageBytes), at);
}

/** Address of the page that holds a slot. */
export function pageOf(layout: Layout, table: I32, slot: I32): I32 {
  return pageAt(layout, i32.add(table, i32.mul(i32.div(slot, kvOf(layout).slots), FLOAT_BYTES)));
}

/** Bytes from the start of a page to V, where K has this many columns. */
export function valuesOffset(layout: Layout, columns: number): number {
  return columns * kvOf(layout).slots * FLOAT_BYTES;
}
