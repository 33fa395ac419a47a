/**
 * @file How an oracle looks ahead: the token in row 0 executes a block as if it went there, the block's probe says what that
 * did, and hidden state and KV list become what they were.
 *
 * All edges lead forward (invariant 24), so the token has no entry in the block's list yet. A page that the entry was the
 * first of goes back to the pool, being the one handed out last.
 */
import { BEFORE, HIDDEN, LEVEL, PROBES, PROBE_COLUMNS } from '../../../ir/index.ts';
import type { BlockInstance, OracleKind } from '../../../ir/index.ts';
import type { FunctionBuilder, Local } from '../asm/function.ts';
import { FLOAT_BYTES, f32, i32 } from '../asm/values.ts';
import type { Expr, I32 } from '../asm/values.ts';
import { listLength } from '../kernels/kv.ts';
import { callBody } from './bodies.ts';
import type { Target } from './bodies.ts';
import { EXECUTED, element, growList, tailOf } from './slots.ts';
import { hasList } from './walk.ts';

/** 1 where the residual ratio of the token in row 0 at this block is below the level; a ratio that is no number is not. */
export function isSmall(target: Target, code: FunctionBuilder, block: BlockInstance, kind: OracleKind): Expr<'i32'> {
  const { module, layout } = target;
  const name = `look_at_${block.id}`;
  module.define(name, { params: [], result: 'i32' }, (f) => {
    const [x, before] = [layout.buffer(HIDDEN), layout.buffer(BEFORE)];
    const bytes = x.columns * FLOAT_BYTES;
    f.copyBytes(before.at, x.at, bytes);
    const undo = hasList(block) ? appendTo(target, f, block.list) : [];
    callBody(target, f, block, { list: layout.buffer('$rows').at, rows: 1, kv: block.list ?? -1 });
    f.copyBytes(x.at, before.at, bytes);
    for (const { address, was } of undo) f.storeI32(address, was);
    const norms = layout.buffer(PROBES).at + PROBE_COLUMNS * block.id * FLOAT_BYTES;
    const whole = f32.load(norms, (kind === 'oracle_input' ? 0 : 2) * FLOAT_BYTES);
    f.return(f32.gt(f32.mul(f32.load(layout.buffer(LEVEL).at), whole), f32.load(norms, FLOAT_BYTES)));
  });
  return code.result('i32', name, []);
}

/** Makes room for the token's entry; gives what is to be written where to take it back. */
function appendTo(
  target: Target,
  f: FunctionBuilder,
  list: number,
): readonly { readonly address: I32; readonly was: Local<'i32'> }[] {
  const { layout } = target;
  const tail = tailOf(layout, list);
  const state = [listLength(layout, list), tail, i32.add(tail, FLOAT_BYTES), layout.buffer('$kv_used').at];
  const undo = state.map((address) => ({ address, was: f.let('i32', i32.load(address)) }));
  const length = f.let('i32', i32.load(listLength(layout, list)));
  f.storeI32(element(layout, '$slot', 0), length);
  const position = i32.load(element(layout, '$pos', 0));
  growList(target, f, list, i32.add(length, 1), { position, mark: EXECUTED });
  return undo;
}
