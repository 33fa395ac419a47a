/**
 * @file Decode of a program that needs a walk: one token goes from block to block as `$walk` says, or where it leaves that
 * open, as the routers do; what they decide is written there.
 *
 * On its way it passes over the blocks between the one it leaves and a later one that it goes to, the exit being behind
 * all blocks; a step backward passes nothing over. What a token leaves twice at one list replaces its earlier entry, but
 * for executed entries under the revisit rule `append`.
 */
import { WALK_DECIDE, WALK_END, hasLearnedRouters } from '../../../ir/index.ts';
import type { BlockInstance } from '../../../ir/index.ts';
import type { FunctionBuilder, Local } from '../asm/function.ts';
import { FLOAT_BYTES, i32 } from '../asm/values.ts';
import type { Expr, I32 } from '../asm/values.ts';
import { listLength } from '../kernels/kv.ts';
import { callBody } from './bodies.ts';
import type { Target } from './bodies.ts';
import { enter } from './entry.ts';
import { decide } from './routers.ts';
import { EXECUTED, FILLED, element, growList, ownsTail, tailOf } from './slots.ts';
import { copyEntry, hasList, walkAt } from './walk.ts';

type AttentionBlock = BlockInstance & { readonly list: number };

/** Number of records in `$log`. */
const LOGGED = 'logged';
const LOG_BYTES = 3 * FLOAT_BYTES;
const NONE = -1;

export function defineDecode(target: Target): void {
  const { module, layout } = target;
  const { blocks, routing } = layout.program;
  const behindAll = (blocks.at(-1)?.id ?? NONE) + 1;
  if (routing.kv === 'latest') module.global(LOGGED);
  defineVisit(target);
  if (routing.kv !== 'absent') definePass(target);
  module.define('decode', { params: ['i32'] }, (f, [position]) => {
    enter(target, f, position, 1);
    if (routing.kv === 'latest') f.setGlobal(LOGGED, 0);
    const [left, hop, block] = [f.let('i32', NONE), f.let('i32', 0), f.local('i32')];
    f.repeat(i32.ne(block, WALK_END), () => {
      f.set<'i32'>(block, WALK_END);
      f.if(i32.lt(hop, routing.maxHops), () => {
        const at = f.let('i32', walkAt(layout, 0, hop));
        f.set<'i32'>(block, i32.load(at));
        if (!hasLearnedRouters(layout.program)) return;
        f.if(i32.eq(block, WALK_DECIDE), () => {
          f.set<'i32'>(block, decide(target, f, left, hop, position));
          f.storeI32(at, block);
        });
      });
      if (routing.kv !== 'absent') {
        f.for(i32.add(left, 1), i32.min(block, behindAll), (passed) => f.call('pass', [passed, position]));
      }
      f.call('visit', [block, position]);
      f.set<'i32'>(left, block);
      f.increase(hop, 1);
    });
  });
}

/** visit(block, position): the token executes the block; an unknown block, and the end of the walk, do nothing. */
function defineVisit(target: Target): void {
  const { module, layout } = target;
  const { blocks, routing } = layout.program;
  const list = layout.buffer('$rows').at;
  module.define('visit', { params: ['i32', 'i32'] }, (f, [id, position]) => {
    const visitBlock = (block: BlockInstance) => () => {
      if (hasList(block)) {
        const slot = placeEntry(target, f, block, position, EXECUTED);
        f.storeI32(element(layout, '$slot', 0), slot);
        if (routing.kv === 'latest') log(target, f, block);
      }
      callBody(target, f, block, { list, rows: 1, kv: block.list ?? NONE });
    };
    f.choose(id, new Map(blocks.map((block) => [block.id, visitBlock(block)])));
  });
}

/** pass(block, position): the token leaves at an attention block what the KV policy says, without executing it. */
function definePass(target: Target): void {
  const { module, layout } = target;
  const { blocks, routing } = layout.program;
  const fill = routing.kv === 'project' ? projectEntry : copyLatest;
  module.define('pass', { params: ['i32', 'i32'] }, (f, [id, position]) => {
    const cases = blocks.filter(hasList).map((block) => [block.id, () => fill(target, f, block, position)] as const);
    f.choose(id, new Map(cases));
  });
}

function projectEntry(target: Target, f: FunctionBuilder, block: AttentionBlock, position: I32): void {
  const { layout } = target;
  const slot = f.let('i32', placeEntry(target, f, block, position, FILLED));
  f.if(i32.ge(slot, 0), () => {
    f.storeI32(element(layout, '$slot', 0), slot);
    callBody(target, f, block, { part: 'fill', list: layout.buffer('$rows').at, rows: 1, kv: block.list });
  });
}

function copyLatest(target: Target, f: FunctionBuilder, block: AttentionBlock, position: I32): void {
  const source = f.let('i32', latestBefore(target, f, block.id));
  f.if(source, () => {
    const slot = f.let('i32', placeEntry(target, f, block, position, FILLED));
    f.if(i32.ge(slot, 0), () => {
      const from = { list: i32.load(source, FLOAT_BYTES), slot: i32.load(source, 2 * FLOAT_BYTES) };
      copyEntry(target, f, block, from, slot);
    });
  });
}

/** The slot where the token's entry goes; -1 for a fill at a list where the token has executed the block already. */
function placeEntry(
  target: Target,
  code: FunctionBuilder,
  { list }: AttentionBlock,
  position: I32,
  mark: number,
): Expr<'i32'> {
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
        if (mark === FILLED) f.return(NONE);
        else if (overwrite) replace();
      });
    });
    growList(target, f, listParam, i32.add(length, 1), { position: positionParam, mark });
    f.return(length);
  });
  return code.result('i32', name, [list, position]);
}

/** Notes in `$log` that the token executes an attention block, with the entry that it leaves in `$slot`. */
function log(target: Target, code: FunctionBuilder, { id, list }: AttentionBlock): void {
  const { module, layout } = target;
  const name = 'log_visit';
  module.define(name, { params: ['i32', 'i32'] }, (f, [block, listParam]) => {
    const record = f.let('i32', recordAt(target, f.global(LOGGED)));
    f.storeI32(record, block);
    f.storeI32(record, listParam, FLOAT_BYTES);
    f.storeI32(record, i32.load(element(layout, '$slot', 0)), 2 * FLOAT_BYTES);
    f.setGlobal(LOGGED, i32.add(f.global(LOGGED), 1));
  });
  code.call(name, [id, list]);
}

/** Address of the last record of a block before this one; 0 when there is none. */
function latestBefore(target: Target, code: FunctionBuilder, id: number): Expr<'i32'> {
  const name = 'latest_before';
  target.module.define(name, { params: ['i32'], result: 'i32' }, (f, [block]) => {
    const found = f.let('i32', 0);
    f.for(0, f.global(LOGGED), (record: Local<'i32'>) => {
      const address = recordAt(target, record);
      f.if(i32.lt(i32.load(address), block), () => f.set<'i32'>(found, address));
    });
    f.return(found);
  });
  return code.result('i32', name, [id]);
}

function recordAt({ layout }: Target, record: I32): I32 {
  return i32.add(layout.buffer('$log').at, i32.mul(record, LOG_BYTES));
}
