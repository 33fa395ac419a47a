/**
 * @file Decode of a program that needs a walk: one token goes from block to block as `$walk` says, or where it leaves that
 * open, as the routers do; what they decide is written there.
 *
 * On its way it passes over the blocks between the one it leaves and a later one that it goes to, the exit being behind
 * all blocks; a step backward passes nothing over. What a token leaves twice at one list replaces its earlier entry, but
 * for executed entries under the revisit rule `append`.
 *
 * A loop leads each token to its next block. Within a trace a token stays in the code of the trace, from block to block, as
 * long as it goes the way of the trace.
 */
import { WALK_DECIDE, WALK_END, hasLearnedRouters, isWeighted } from '../../../ir/index.ts';
import type { BlockId, BlockInstance } from '../../../ir/index.ts';
import type { FunctionBuilder, Local } from '../asm/function.ts';
import { FLOAT_BYTES, i32 } from '../asm/values.ts';
import type { Expr, I32 } from '../asm/values.ts';
import { listOf } from '../kernels/kv.ts';
import { callBody } from './bodies.ts';
import type { Target } from './bodies.ts';
import { enter } from './entry.ts';
import { decide, decideBehind } from './routers.ts';
import { EXECUTED, FILLED, element, placeEntry } from './slots.ts';
import { copyEntry, hasList, walkAt } from './walk.ts';
import { weighHop } from './weighting.ts';

type AttentionBlock = BlockInstance & { readonly list: number };

/** A token on its way. */
interface Walker {
  /** The block that it goes to. */
  readonly next: Local<'i32'>;
  /** Blocks that it has executed. */
  readonly hop: Local<'i32'>;
  readonly position: I32;
}

/** Number of records in `$log`. */
const LOGGED = 'logged';
const LOG_BYTES = 3 * FLOAT_BYTES;
const NONE = -1;

export function defineDecode(target: Target): void {
  const { module, layout } = target;
  const { routing } = layout.program;
  if (routing.kv === 'latest') module.global(LOGGED);
  if (routing.kv !== 'absent') definePass(target);
  module.define('decode', { params: ['i32'] }, (f, [position]) => {
    enter(target, f, position, 1);
    if (routing.kv === 'latest') f.setGlobal(LOGGED, 0);
    const walker = { next: f.local('i32'), hop: f.let('i32', 0), position };
    const { next } = walker;
    const { order, onward } = arrange(target);
    const cases = order.map((block) => [block.id, () => step(target, f, block, onward.get(block.id), walker)] as const);
    const through = [...onward].map(([id, following]) => [id, i32.eq(next, following)] as const);
    goOn(target, f, NONE, walker);
    f.while(i32.ne(next, WALK_END), () => {
      const at = f.let('i32', next);
      // What is no block ends the walk.
      f.set<'i32'>(next, WALK_END);
      f.choose(at, new Map(cases), new Map(through));
    });
  });
}

/** The blocks in the order of the code, those of a trace one behind the other; and how traces go on behind a block. */
function arrange({ layout }: Target): {
  readonly order: readonly BlockInstance[];
  readonly onward: ReadonlyMap<BlockId, BlockId>;
} {
  const { blocks, traces = [] } = layout.program;
  const traced = traces.flatMap((trace) => trace.blocks);
  const following = traces.flatMap((trace) =>
    trace.blocks.slice(1).map((id, i) => [trace.blocks[i] ?? NONE, id] as const),
  );
  const place = ({ id }: BlockInstance): number => (traced.includes(id) ? traced.indexOf(id) : traced.length);
  return { order: [...blocks].sort((a, b) => place(a) - place(b)), onward: new Map(following) };
}

/** The token executes a block and finds its next one. */
function step(
  target: Target,
  f: FunctionBuilder,
  block: BlockInstance,
  onward: BlockId | undefined,
  walker: Walker,
): void {
  visit(target, f, block, walker.position);
  f.increase(walker.hop, 1);
  if (onward === undefined) {
    goOn(target, f, block.id, walker);
    return;
  }
  followWalk(target, f, { ...walker, left: block.id }, () => decideBehind(target, f, block, walker));
  if (target.layout.program.routing.kv !== 'absent') passTowards(target, f, block.id, onward, walker);
}

/** next(left, hop, position): where the token goes behind block `left`; what it passes over on the way is done. */
function goOn(target: Target, f: FunctionBuilder, left: number, { next, hop, position }: Walker): void {
  const name = 'next';
  target.module.define(name, { params: ['i32', 'i32', 'i32'], result: 'i32' }, (g, [from, hops, at]) => {
    const walker = { next: g.local('i32'), hop: hops, position: at, left: from };
    followWalk(target, g, walker, () => g.set<'i32'>(walker.next, decide(target, g, from, hops, at)));
    if (target.layout.program.routing.kv !== 'absent') passOver(target, g, from, walker);
    g.return(walker.next);
  });
  f.set<'i32'>(next, f.result('i32', name, [left, hop, position]));
}

/** Sets `next` to what the walk says at this hop, or has it decided, notes that, and weighs; at the hop cap the walk ends. */
function followWalk(
  target: Target,
  f: FunctionBuilder,
  { next, hop, position, left }: Walker & { readonly left: I32 },
  decideNext: () => void,
): void {
  const { layout } = target;
  const { maxHops, anchors = 0 } = layout.program.routing;
  const asked = isWeighted(layout.program) ? f.local('i32') : undefined;
  f.set<'i32'>(next, WALK_END);
  f.if(i32.lt(hop, maxHops), () => {
    const at = f.let('i32', walkAt(layout, 0, hop));
    f.set<'i32'>(next, i32.load(at));
    if (!hasLearnedRouters(layout.program)) return;
    if (asked !== undefined) f.set<'i32'>(asked, 0);
    f.if(i32.eq(next, WALK_DECIDE), () => {
      decideNext();
      f.storeI32(at, next);
      if (asked !== undefined) f.set<'i32'>(asked, i32.ge(position, anchors));
    });
    if (asked === undefined) return;
    f.if(i32.ne(next, WALK_END), () => weighHop(target, f, { left, block: next, hop, asked }));
  });
}

function passOver({ layout }: Target, f: FunctionBuilder, left: I32, { next, position }: Walker): void {
  const behindAll = (layout.program.blocks.at(-1)?.id ?? NONE) + 1;
  f.for(i32.add(left, 1), i32.min(next, behindAll), (passed) => f.call('pass', [passed, position]));
}

/** The same behind a block of a trace: which blocks lie before the one that it goes on with is known. */
function passTowards(target: Target, f: FunctionBuilder, left: BlockId, onward: BlockId, walker: Walker): void {
  const between = target.layout.program.blocks.filter(({ id }) => id > left && id < onward).filter(hasList);
  f.if(
    i32.eq(walker.next, onward),
    () => between.forEach((block) => fill(target, f, block, walker.position)),
    () => passOver(target, f, left, walker),
  );
}

/** The token executes the block. */
function visit(target: Target, f: FunctionBuilder, block: BlockInstance, position: I32): void {
  const { layout } = target;
  if (hasList(block)) {
    const slot = placeEntry(target, f, listOf(layout, block.list, 0), position, EXECUTED);
    f.storeI32(element(layout, '$slot', 0), slot);
    if (layout.program.routing.kv === 'latest') log(target, f, block);
  }
  callBody(target, f, block, { list: layout.buffer('$rows').at, rows: 1, kv: block.list ?? NONE });
}

/** pass(block, position): the token leaves at an attention block what the KV policy says, without executing it. */
function definePass(target: Target): void {
  const { module, layout } = target;
  const { blocks } = layout.program;
  module.define('pass', { params: ['i32', 'i32'] }, (f, [id, position]) => {
    const cases = blocks.filter(hasList).map((block) => [block.id, () => fill(target, f, block, position)] as const);
    f.choose(id, new Map(cases));
  });
}

function fill(target: Target, f: FunctionBuilder, block: AttentionBlock, position: I32): void {
  if (target.layout.program.routing.kv === 'project') projectEntry(target, f, block, position);
  else copyLatest(target, f, block, position);
}

function projectEntry(target: Target, f: FunctionBuilder, block: AttentionBlock, position: I32): void {
  const { layout } = target;
  const slot = f.let('i32', placeEntry(target, f, listOf(layout, block.list, 0), position, FILLED));
  f.if(i32.ge(slot, 0), () => {
    f.storeI32(element(layout, '$slot', 0), slot);
    callBody(target, f, block, { part: 'fill', list: layout.buffer('$rows').at, rows: 1, kv: block.list });
  });
}

function copyLatest(target: Target, f: FunctionBuilder, block: AttentionBlock, position: I32): void {
  const list = listOf(target.layout, block.list, 0);
  const source = f.let('i32', latestBefore(target, f, block.id));
  f.if(source, () => {
    const slot = f.let('i32', placeEntry(target, f, list, position, FILLED));
    f.if(i32.ge(slot, 0), () => {
      const from = { list: i32.load(source, FLOAT_BYTES), slot: i32.load(source, 2 * FLOAT_BYTES) };
      copyEntry(target, f, block, from, { list, slot });
    });
  });
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
  code.call(name, [id, listOf(layout, list, 0)]);
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
