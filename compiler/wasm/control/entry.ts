/** @file The way in and the way out: what all programs have in common. */
import type { FunctionBuilder } from '../asm/function.ts';
import { i32 } from '../asm/values.ts';
import type { I32 } from '../asm/values.ts';
import { callBody } from './bodies.ts';
import type { Target } from './bodies.ts';
import { element } from './slots.ts';

/** Rows 0 … rows - 1 become the tokens at positions first …, and take their hidden state from the entry. */
export function enter(target: Target, f: FunctionBuilder, first: I32, rows: I32): void {
  const { layout } = target;
  f.for(0, rows, (i) => {
    f.storeI32(element(layout, '$pos', i), i32.add(first, i));
  });
  enterRows(target, f, rows);
}

/** The same for rows that have their positions. */
export function enterRows(target: Target, f: FunctionBuilder, rows: I32): void {
  const { layout } = target;
  listRows(target, f, 0, rows);
  callBody(target, f, layout.program.entry, { list: layout.buffer('$rows').at, rows });
}

/** Lets `$rows` name rows from … from + rows - 1. */
export function listRows({ layout }: Target, f: FunctionBuilder, from: I32, rows: I32): void {
  f.for(0, rows, (i) => {
    f.storeI32(element(layout, '$rows', i), i32.add(from, i));
  });
}

/** head(row, count): the exit for these rows; that of an image sees all its tokens. */
export function defineHead(target: Target): void {
  const { module, layout } = target;
  const { task, context } = layout.program;
  module.define('head', { params: ['i32', 'i32'] }, (f, [row, count]) => {
    const [first, rows] = task === 'causal-lm' ? [row, count] : [0, context];
    listRows(target, f, first, rows);
    callBody(target, f, layout.program.exit, { list: layout.buffer('$rows').at, rows });
  });
}
