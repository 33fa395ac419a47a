/**
 * @file What rows of several sequences leave at the attention blocks that they pass over, as the KV policy says.
 *
 * It is made up for when they arrive where they go: until then a row's hidden state is that of the edge, and nobody looks
 * at its sequence.
 */
import type { BlockInstance } from '../../../ir/index.ts';
import type { FunctionBuilder } from '../asm/function.ts';
import { i32 } from '../asm/values.ts';
import type { Expr, I32 } from '../asm/values.ts';
import { listLength, listOf } from '../kernels/kv.ts';
import { callBody } from './bodies.ts';
import type { Target } from './bodies.ts';
import { FILLED, element, placeEntry } from './slots.ts';
import { copyEntry, hasList, walkAt } from './walk.ts';

type AttentionBlock = BlockInstance & { readonly list: number };

const NONE = -1;

/** The first `count` rows of `$rows` arrive at a block, or at the exit, which is behind all: they have passed what lies between. */
export function passOver(target: Target, code: FunctionBuilder, arrival: I32, count: I32): void {
  const { module, layout } = target;
  const { blocks, routing } = layout.program;
  if (routing.kv === 'absent') return;
  const fill = routing.kv === 'project' ? projectEntries : copyLatest;
  module.define('pass_block', { params: ['i32', 'i32'] }, (f, [id, rows]) => {
    f.choose(id, new Map(blocks.filter(hasList).map((block) => [block.id, () => fill(target, f, block, rows)])));
  });
  module.define('pass_over', { params: ['i32', 'i32'] }, (f, [end, rows]) => {
    const first = f.let('i32', end);
    f.for(0, rows, (i) => {
      f.set<'i32'>(first, i32.min(first, i32.add(leftBy(target, f, i32.load(element(layout, '$rows', i))), 1)));
    });
    f.for(first, end, (block) => f.call('pass_block', [block, rows]));
  });
  code.call('pass_over', [arrival, count]);
}

/** Makes K and V of the rows that come from before the block, together. */
function projectEntries(target: Target, f: FunctionBuilder, block: AttentionBlock, count: I32): void {
  const { module, layout } = target;
  const name = 'gather_passing';
  module.define(name, { params: ['i32', 'i32', 'i32'], result: 'i32' }, (g, [id, list, rows]) => {
    const found = g.let('i32', 0);
    eachPassing(target, g, id, rows, (row) => {
      const slot = g.let('i32', placeRow(target, g, list, row));
      g.if(i32.ge(slot, 0), () => {
        g.storeI32(element(layout, '$passed', found), row);
        g.storeI32(element(layout, '$slot', found), slot);
        g.increase(found, 1);
      });
    });
    g.return(found);
  });
  // The block's list in the first sequence: kernels move from it to that of each row.
  const passed = f.let('i32', f.result('i32', name, [block.id, block.list, count]));
  f.if(passed, () => {
    callBody(target, f, block, { part: 'fill', list: layout.buffer('$passed').at, rows: passed, kv: block.list });
  });
}

/** Rows that come from before the block leave what they left in their latest attention block before it. */
function copyLatest(target: Target, f: FunctionBuilder, block: AttentionBlock, count: I32): void {
  const { layout } = target;
  eachPassing(target, f, block.id, count, (row) => {
    const latest = f.let('i32', latestBefore(target, f, row, block.id));
    f.if(i32.ge(latest, 0), () => {
      const slot = f.let('i32', placeRow(target, f, block.list, row));
      f.if(i32.ge(slot, 0), () => {
        const source = f.let('i32', listOf(layout, latest, row));
        // The list ends in what its sequence's newest token has left there: in this row's entry.
        const from = { list: source, slot: i32.sub(i32.load(listLength(layout, source)), 1) };
        copyEntry(target, f, block, from, { list: listOf(layout, block.list, row), slot });
      });
    });
  });
}

/** Visits those of the first `count` rows of `$rows` that come from before the block. */
function eachPassing(target: Target, f: FunctionBuilder, id: I32, count: I32, visit: (row: I32) => void): void {
  f.for(0, count, (i) => {
    const row = f.let('i32', i32.load(element(target.layout, '$rows', i)));
    f.if(i32.lt(leftBy(target, f, row), id), () => visit(row));
  });
}

function placeRow(target: Target, f: FunctionBuilder, list: I32, row: I32): Expr<'i32'> {
  const { layout } = target;
  const position = i32.load(element(layout, '$pos', row));
  return placeEntry(target, f, listOf(layout, list, row), position, FILLED);
}

/** left_by(row): the block that a row comes from, -1 for the entry. */
function leftBy(target: Target, code: FunctionBuilder, row: I32): Expr<'i32'> {
  const { module, layout } = target;
  module.define('left_by', { params: ['i32'], result: 'i32' }, (f, [r]) => {
    const hop = f.let('i32', i32.load(element(layout, '$hop', r)));
    f.if(i32.eq(hop, 0), () => f.return(NONE));
    f.return(i32.load(walkAt(layout, r, i32.sub(hop, 1))));
  });
  return code.result('i32', 'left_by', [row]);
}

/** latest_before(row, block): the list of the last attention block before this one that the row has executed, or -1. */
function latestBefore(target: Target, code: FunctionBuilder, row: I32, id: number): Expr<'i32'> {
  const { module, layout } = target;
  module.define('list_of', { params: ['i32'], result: 'i32' }, (f, [block]) => {
    const lists = layout.program.blocks.filter(hasList);
    f.choose(block, new Map(lists.map((one) => [one.id, () => f.return(one.list)])));
    f.return(NONE);
  });
  const name = 'latest_list_before';
  module.define(name, { params: ['i32', 'i32'], result: 'i32' }, (f, [r, before]) => {
    const latest = f.let('i32', NONE);
    f.for(0, i32.load(element(layout, '$hop', r)), (hop) => {
      const block = f.let('i32', i32.load(walkAt(layout, r, hop)));
      const list = f.let('i32', f.result('i32', 'list_of', [block]));
      f.if(i32.and(i32.lt(block, before), i32.ge(list, 0)), () => f.set<'i32'>(latest, list));
    });
    f.return(latest);
  });
  return code.result('i32', name, [row, id]);
}
