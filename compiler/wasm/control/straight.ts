/** @file Programs in which every token executes every block: one block after the other, no questions asked. */
import { listOf } from '../kernels/kv.ts';
import { callBody } from './bodies.ts';
import type { Target } from './bodies.ts';
import { enter } from './entry.ts';
import { claimSlots } from './slots.ts';

export function defineStraight(target: Target): void {
  const { module, layout } = target;
  const list = layout.buffer('$rows').at;
  module.define('prefill', { params: ['i32', 'i32'] }, (f, [first, rows]) => {
    enter(target, f, first, rows);
    for (const block of layout.program.blocks) {
      if (block.list !== null) claimSlots(target, f, listOf(layout, block.list, 0), rows);
      callBody(target, f, block, { list, rows, kv: block.list ?? -1 });
    }
  });
  module.define('decode', { params: ['i32'] }, (f, [position]) => {
    f.call('prefill', [position, 1]);
  });
}
