/**
 * @file Addresses inside the KV pool. A page holds K as [kv_heads][head_dim][slots], then V as [kv_heads][slots][head_dim].
 */
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
