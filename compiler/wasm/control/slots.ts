/**
 * @file Slots of the KV lists. A list's length is its number of entries; it takes pages from its sequence's part of the pool
 * as it grows.
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
const NO_SLOT = -1;
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
  const { sequences } = layout.program;
  const { slots, lists, pages: allPages } = kvOf(layout);
  const pages = Math.floor(allPages / sequences);
  const name = 'grow_list';
  module.define(name, { params: ['i32', 'i32', 'i32', 'i32'] }, (f, [listParam, newLength, position, mark]) => {
    const lengthAt = f.let('i32', listLength(layout, listParam));
    const sequence = sequences === 1 ? 0 : f.let('i32', i32.div(listParam, lists));
    const used = element(layout, '$kv_used', sequence);
    const pagesFor = (entries: I32): I32 => i32.div(i32.add(entries, slots - 1), slots);
    f.for(pagesFor(i32.load(lengthAt)), pagesFor(newLength), (page) => {
      f.if(i32.ge(i32.load(used), pages), () => f.trap());
      const taken = i32.add(i32.mul(sequence, pages), i32.load(used));
      f.storeI32(i32.add(pageTable(layout, listParam), i32.mul(page, FLOAT_BYTES)), taken);
      f.storeI32(used, i32.add(i32.load(used), 1));
    });
    f.storeI32(lengthAt, newLength);
    f.storeI32(tailOf(layout, listParam), position);
    f.storeI32(tailOf(layout, listParam), mark, FLOAT_BYTES);
  });
  code.call(name, [list, length, tail.position, tail.mark]);
}

/**
 * Makes place for the entry that the token at this position leaves in a list: in its earlier one, but for executed entries
 * under the revisit rule `append`, or behind all. Gives its slot; -1 for a fill where the token has executed the block
 * already.
 */
export function placeEntry(target: Target, code: FunctionBuilder, list: I32, position: I32, mark: number): Expr<'i32'> {
  const { module, layout } = target;
  const name = mark === FILLED ? 'place_filled' : 'place_executed';
  const overwrite = layout.program.routing.revisit === 'overwrite';
  module.define(name, { params: ['i32', 'i32'], result: 'i32' }, (f, [listParam, positionParam]) => {
    const length = f.let('i32', i32.load(listLength(layout, listParam)));
    const tail = f.let('i32', tailOf(layout, listParam));
    const replace = (): void => {
      f.storeI32(tail, mark, FLOAT_BYTES);
      f.return(i32.sub(length, 1));
    };
    f.if(ownsTail(target, f, listParam, positionParam), () => {
      f.if(i32.eq(i32.load(tail, FLOAT_BYTES), FILLED), replace, () => {
        if (mark === FILLED) f.return(NO_SLOT);
        else if (overwrite) replace();
      });
    });
    growList(target, f, listParam, i32.add(length, 1), { position: positionParam, mark });
    f.return(length);
  });
  return code.result('i32', name, [list, position]);
}

/** A new entry for each of the first `count` rows, all of one sequence, in their order; their slots go to `$slot`. */
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
function ownsTail(target: Target, code: FunctionBuilder, list: I32, position: I32): Expr<'i32'> {
  const { module, layout } = target;
  const name = 'owns_tail';
  module.define(name, { params: ['i32', 'i32'], result: 'i32' }, (f, [listParam, positionParam]) => {
    const filled = i32.gt(i32.load(listLength(layout, listParam)), 0);
    f.return(i32.and(filled, i32.eq(i32.load(tailOf(layout, listParam)), positionParam)));
  });
  return code.result('i32', name, [list, position]);
}

/** `reset` empties all lists; `forget`, in programs for several sequences, those of one. */
export function defineReset({ module, layout }: Target): void {
  const { sequences } = layout.program;
  const empty = (f: FunctionBuilder, sequence: I32): void => {
    if (layout.kv === null) return;
    const { lists } = layout.kv;
    f.storeI32(element(layout, '$kv_used', sequence), 0);
    const first = i32.mul(sequence, lists);
    f.for(first, i32.add(first, lists), (list) => {
      f.storeI32(listLength(layout, list), 0);
      f.storeI32(tailOf(layout, list), NOBODY);
    });
  };
  module.define('reset', { params: [] }, (f) => {
    if (sequences === 1) empty(f, 0);
    else f.for(0, sequences, (sequence) => empty(f, sequence));
  });
  module.export('reset');
  if (sequences === 1) return;
  module.define('forget', { params: ['i32'] }, (f, [sequence]) => empty(f, sequence));
  module.export('forget');
}
