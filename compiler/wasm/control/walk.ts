/** @file What prefill and decode know of walks alike. */
import type { BlockInstance } from '../../../ir/index.ts';
import type { FunctionBuilder } from '../asm/function.ts';
import { FLOAT_BYTES, i32 } from '../asm/values.ts';
import type { I32 } from '../asm/values.ts';
import { defineCopyEntry } from '../kernels/append.ts';
import type { Layout } from '../plan/layout.ts';
import { bodyOf } from './bodies.ts';
import type { Target } from './bodies.ts';

/** The address of what is written in a row's walk at this hop. */
export function walkAt(layout: Layout, row: I32, hop: I32): I32 {
  const index = i32.add(i32.mul(row, layout.program.routing.maxHops + 1), hop);
  return i32.add(layout.buffer('$walk').at, i32.mul(index, FLOAT_BYTES));
}

/** Copies an entry into a slot of a list of an attention block. */
export function copyEntry(
  target: Target,
  code: FunctionBuilder,
  block: BlockInstance,
  from: { readonly list: I32; readonly slot: I32 },
  to: { readonly list: I32; readonly slot: I32 },
): void {
  const append = bodyOf(target, block).kernels.find(({ kind }) => kind === 'append');
  const [heads, headDim] = [append?.attrs['kv_heads'], append?.attrs['head_dim']];
  if (typeof heads !== 'number' || typeof headDim !== 'number') {
    throw new Error(`internal: block ^${block.id} appends nothing`);
  }
  const copy = defineCopyEntry(target.module, target.layout, heads, headDim);
  code.call(copy, [from.list, from.slot, to.list, to.slot]);
}

/** True for blocks that have a KV list. */
export function hasList(block: BlockInstance): block is BlockInstance & { readonly list: number } {
  return block.list !== null;
}
