/**
 * @file Slots of the KV lists. A list's length is its number of entries; it takes pages from the pool as it grows.
 *
 * `$kv_tail` says whose the last entry is: what a token leaves twice at one list is always the list's end.
 */
import type { FunctionBuilder } from '../asm/function.ts';
import { FLOAT_BYTES, i32 } from '../asm/values.ts';
import type { Expr, I32 } from '../asm/values.ts';
import { listLength, pageTable } from '../kernels/kv.ts';
import { kvOf } from '../plan/layout.ts';
import type { Layout } from '../plan/layout.ts';
import type { Target } from './bodies.ts';

/** Executed entries and entries that were filled in, as `$kv_tail` marks them. */
export const EXECUTED = 0;
export const FILLED = 1;

const NOBODY = -1;
const TAIL_BYTES = 2 * FLOAT_BYTES;

export function tailOf(layout: Layout, list: I32): I32 {
  return i32.add(layout.buffer('$kv_tail').at, i32.mul(list, TAIL_BYTES));
}

/** Address of the i-th element of a dense i32 buffer. */
export function element(layout: Layout, buffer: string, i: I32): I32 {
  return i32.add(layout.buffer(buffer).at, i32.mul(i, FLOAT_BYTES));
}

/** Lets a list end after `length` entries, the last being of the token at `position`; takes pages as needed. */
export function growList(
  target: Target,
  code: FunctionBuilder,
  list: I32,
  length: I32,
  tail: { position: I32; mark: I32 },
): void {
  const { module, layout } = target;
  const { slots, pages } = kvOf(layout);
  const name = 'grow_list';
  module.define(name, { params: ['i32', 'i32', 'i32', 'i32'] }, (f, [listParam, newLength, position, mark]) => {
    const lengthAt = f.let('i32', listLength(layout, listParam));
    const used = layout.buffer('$kv_used').at;
    const pagesFor = (entries: I32): I32 => i32.div(i32.add(entries, slots - 1), slots);
    f.for(pagesFor(i32.load(lengthAt)), pagesFor(newLength), (page) => {
      f.if(i32.ge(i32.load(used), pages), () => f.trap());
      f.storeI32(i32.add(pageTable(layout, listParam), i32.mul(page, FLOAT_BYTES)), i32.load(used));
      f.storeI32(used, i32.add(i32.load(used), 1));
    });
    f.storeI32(lengthAt, newLength);
    f.storeI32(tailOf(layout, listParam), position);
    f.storeI32(tailOf(layout, listParam), mark, FLOAT_BYTES);
  });
  code.call(name, [list, length, tail.position, tail.mark]);
}

/** A new entry for each of the first `count` rows, in their order; their slots go to `$slot`. */
export function claimSlots(target: Target, code: FunctionBuilder, list: I32, count: I32): void {
  const { module, layout } = target;
  const name = 'claim_slots';
  module.define(name, { params: ['i32', 'i32'] }, (f, [listParam, rows]) => {
    const length = f.let('i32', i32.load(listLength(layout, listParam)));
    f.for(0, rows, (i) => {
      f.storeI32(element(layout, '$slot', i), i32.add(length, i));
    });
    const position = i32.load(element(layout, '$pos', i32.sub(rows, 1)));
    growList(target, f, listParam, i32.add(length, rows), { position, mark: EXECUTED });
  });
  code.call(name, [list, count]);
}

/** 1 when the last entry of the list is of the token at this position. */
export function ownsTail(target: Target, code: FunctionBuilder, list: I32, position: I32): Expr<'i32'> {
  const { module, layout } = target;
  const name = 'owns_tail';
  module.define(name, { params: ['i32', 'i32'], result: 'i32' }, (f, [listParam, positionParam]) => {
    const filled = i32.gt(i32.load(listLength(layout, listParam)), 0);
    f.return(i32.and(filled, i32.eq(i32.load(tailOf(layout, listParam)), positionParam)));
  });
  return code.result('i32', name, [list, position]);
}

/** Empties all lists. */
export function defineReset({ module, layout }: Target): void {
  module.define('reset', { params: [] }, (f) => {
    if (layout.kv === null) return;
    f.storeI32(layout.buffer('$kv_used').at, 0);
    f.for(0, layout.kv.lists, (list) => {
      f.storeI32(listLength(layout, list), 0);
      f.storeI32(tailOf(layout, list), NOBODY);
    });
  });
  module.export('reset');
}
