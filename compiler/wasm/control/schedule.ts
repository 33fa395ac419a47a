/**
 * @file Which block runs next, where rows of several sequences wait for blocks: that of the longest queue, with ageing.
 *
 * A queue's claim is the number of its rows and of the rounds that it has waited. Whatever other rows do, its turn comes
 * after about as many rounds as there are rows, twice: by then it has a greater claim than any queue that ran since.
 *
 * Where all walks lead forward, the first block that has a queue runs instead: the sweep over the blocks in order, in which
 * each of them runs once.
 */
import type { FunctionBuilder } from '../asm/function.ts';
import { FLOAT_BYTES, i32 } from '../asm/values.ts';
import type { Expr, I32 } from '../asm/values.ts';
import type { Target } from './bodies.ts';
import { element } from './slots.ts';

/** No row waits for a block. */
export const NOTHING_WAITS = -1;

const QUEUE_BYTES = 2 * FLOAT_BYTES;

/** next_block(rows, forward): the id of a block that some of the rows wait for, or {@link NOTHING_WAITS}. */
export function nextBlock(target: Target, code: FunctionBuilder, rows: I32, forward: I32): Expr<'i32'> {
  const { module, layout } = target;
  const { at, rows: blocks } = layout.buffer('$queue');
  const queueOf = (block: I32): I32 => i32.add(i32.mul(block, QUEUE_BYTES), at);
  const name = 'next_block';
  module.define(name, { params: ['i32', 'i32'], result: 'i32' }, (f, [rowCount, inOrder]) => {
    f.for(0, Number(blocks), (block) => f.storeI32(queueOf(block), 0));
    f.for(0, rowCount, (row) => {
      const next = f.let('i32', i32.load(element(layout, '$next', row)));
      f.if(i32.below(next, Number(blocks)), () => {
        f.storeI32(queueOf(next), i32.add(i32.load(queueOf(next)), 1));
      });
    });
    const [best, most] = [f.let('i32', NOTHING_WAITS), f.let('i32', 0)];
    f.for(0, Number(blocks), (block) => {
      const queue = f.let('i32', queueOf(block));
      const age = f.let('i32', i32.add(i32.load(queue, FLOAT_BYTES), 1));
      f.if(i32.eq(i32.load(queue), 0), () => f.set<'i32'>(age, 0));
      f.storeI32(queue, age, FLOAT_BYTES);
      const claim = f.let('i32', i32.add(i32.load(queue), age));
      f.if(i32.gt(claim, most), () => {
        f.if(inOrder, () => f.return(block));
        f.set<'i32'>(best, block);
        f.set<'i32'>(most, claim);
      });
    });
    f.if(i32.gt(most, 0), () => f.storeI32(queueOf(best), 0, FLOAT_BYTES));
    f.return(best);
  });
  return code.result('i32', name, [rows, forward]);
}
