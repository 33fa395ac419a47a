/**
 * @file Prefill of a program that needs a walk: one sweep over the blocks in order. At each block the tokens that wait
 * for it are gathered, in order of position, and run together; nothing is computed for the others.
 *
 * A token leaves its entry at an attention block in order of position too, whether it executes the block or, under the
 * policies that say so, passes it over. Walks must lead forward only.
 *
 * Where routers decide in one sweep, a token may come to a block with a gate by a way that is not decided yet: its hop in
 * `$walk` is {@link WALK_DECIDE}, `$next` the block that it tries. The gate scores all of these tokens together; where
 * routers weigh, also those that come to the block anyway.
 */
import { WALK_DECIDE, WALK_END, decidesInOneSweep, isWeighted } from '../../../ir/index.ts';
import type { BlockInstance, Edge, Instance } from '../../../ir/index.ts';
import type { FunctionBuilder, Local } from '../asm/function.ts';
import { FLOAT_BYTES, i32 } from '../asm/values.ts';
import type { Expr, I32 } from '../asm/values.ts';
import { listLength, listOf } from '../kernels/kv.ts';
import { callBody } from './bodies.ts';
import type { Target } from './bodies.ts';
import { enter } from './entry.ts';
import { behindGate, codeOf, hasGate, isFinished, isOpen, preparesScores } from './routers.ts';
import { EXECUTED, FILLED, element, growList } from './slots.ts';
import { copyEntry, hasList, walkAt } from './walk.ts';
import { weighByGate, weighLeaving, weighWhole } from './weighting.ts';

const LATEST_BYTES = 2 * FLOAT_BYTES;
const NONE = -1;

export function definePrefill(target: Target): void {
  const { layout, module } = target;
  module.define('prefill', { params: ['i32', 'i32'] }, (f, [first, tokens]) => {
    enter(target, f, first, tokens);
    const { program } = layout;
    const [decides, weighs] = [decidesInOneSweep(program), isWeighted(program)];
    f.for(0, tokens, (row) => {
      f.storeI32(element(layout, '$hop', row), 0);
      if (preparesScores(target)) f.storeI32(element(layout, '$scored', row), NONE);
      f.storeI32(element(layout, '$next', row), i32.load(walkAt(layout, row, 0)));
      if (decides) {
        leave(target, f, { first: firstOf(program.entry.edge), isGate: isGate(program.entry.edge) }, { row, hop: 0 });
      }
      if (program.routing.kv === 'latest') f.storeI32(latestOf(target, row), NONE);
      if (weighs) weighWhole(target, f, row);
    });
    if (weighs && program.entry.edge.router?.kind === 'hub') weighLeaving(target, f, program.entry.edge, tokens);
    for (const block of program.blocks) {
      if ((decides || weighs) && hasGate(block)) sweepGate(target, f, block, tokens);
      if (hasList(block)) sweepAttention(target, f, block, tokens);
      else sweepMlp(target, f, block, tokens);
    }
    if (decides) endWalks(target, f, tokens);
  });
}

function sweepMlp(target: Target, f: FunctionBuilder, block: BlockInstance, tokens: I32): void {
  const { layout } = target;
  const rows = f.let('i32', gatherRows(target, f, block.id, tokens));
  f.if(rows, () => {
    callBody(target, f, block, { list: layout.buffer('$rows').at, rows });
    advance(target, f, block, rows);
  });
}

/** gather_rows(block, tokens): lists the rows that wait for the block in `$rows`, and gives their number. */
export function gatherRows(target: Target, code: FunctionBuilder, block: I32, tokens: I32): Expr<'i32'> {
  const { layout, module } = target;
  const name = 'gather_rows';
  module.define(name, { params: ['i32', 'i32'], result: 'i32' }, (g, [id, count]) => {
    const found = g.let('i32', 0);
    g.for(0, count, (row) => {
      g.if(i32.eq(i32.load(element(layout, '$next', row)), id), () => {
        g.storeI32(element(layout, '$rows', found), row);
        g.increase(found, 1);
      });
    });
    g.return(found);
  });
  return code.result('i32', name, [block, tokens]);
}

/** Tokens that try the block's gate and find it closed go on behind it. Where routers weigh, the others have its weight. */
export function sweepGate(
  target: Target,
  f: FunctionBuilder,
  block: BlockInstance & { readonly gate: Instance },
  tokens: I32,
): void {
  const { layout, module } = target;
  const { anchors = 0 } = layout.program.routing;
  const [prepares, weighs] = [preparesScores(target), isWeighted(layout.program)];
  const decides = (row: I32): I32 => i32.eq(i32.load(hopOf(target, row)), WALK_DECIDE);
  const isFree = (row: I32): I32 => i32.ge(i32.load(element(layout, '$pos', row)), anchors);
  module.define('gather_deciding', { params: ['i32', 'i32', 'i32'], result: 'i32' }, (g, [id, count, prepared]) => {
    const found = g.let('i32', 0);
    g.for(0, count, (row) => {
      const waits = i32.eq(i32.load(element(layout, '$next', row)), id);
      const takes = weighs ? waits : i32.and(i32.and(waits, decides(row)), isFree(row));
      const isScored = prepares ? i32.eq(i32.load(element(layout, '$scored', row)), id) : 0;
      g.if(i32.and(takes, i32.eq(isScored, prepared)), () => {
        g.storeI32(element(layout, '$rows', found), row);
        g.increase(found, 1);
      });
    });
    g.return(found);
  });
  module.define('close_gate', { params: ['i32', 'i32'] }, (g, [behind, count]) => {
    g.for(0, count, (i) => {
      const row = i32.load(element(layout, '$rows', i));
      const isClosed = i32.eq(isOpen(target, i), 0);
      g.if(weighs ? i32.and(isClosed, i32.and(decides(row), isFree(row))) : isClosed, () => {
        g.storeI32(element(layout, '$next', row), behind);
        if (weighs) weighWhole(target, g, row);
      });
    });
  });
  const score = (scorer: Instance, prepared: number): void => {
    const rows = f.let('i32', f.result('i32', 'gather_deciding', [block.id, tokens, prepared]));
    f.if(rows, () => {
      callBody(target, f, scorer, { list: layout.buffer('$rows').at, rows });
      if (weighs) weighByGate(target, f, rows);
      f.call('close_gate', [behindGate(target, block), rows]);
    });
  };
  if (isFinished(block)) score(block.finish, 1);
  score(block.gate, 0);
}

function sweepAttention(
  target: Target,
  f: FunctionBuilder,
  block: BlockInstance & { readonly list: number },
  tokens: I32,
): void {
  const { layout } = target;
  const { kv: policy } = layout.program.routing;
  const list = listOf(layout, block.list, 0);
  const before = f.let('i32', i32.load(listLength(layout, list)));
  claimEntries(target, f, block, tokens);
  if (policy !== 'absent') {
    const passed = f.let('i32', gather(target, f, 'passed', block, before, tokens));
    f.if(passed, () => {
      if (policy === 'project') {
        callBody(target, f, block, { part: 'fill', list: layout.buffer('$passed').at, rows: passed, kv: block.list });
      } else {
        copyLatest(target, f, block, passed);
      }
    });
  }
  const rows = f.let('i32', gather(target, f, 'rows', block, before, tokens));
  f.if(rows, () => {
    callBody(target, f, block, { list: layout.buffer('$rows').at, rows, kv: block.list });
    if (policy === 'latest') rememberLatest(target, f, list, rows);
    advance(target, f, block, rows);
  });
}

/** Visits the tokens that leave an entry at an attention block, in order: those that execute it, those that pass it. */
function eachEntry(
  target: Target,
  f: FunctionBuilder,
  { block, tokens }: { block: Local<'i32'>; tokens: Local<'i32'> },
  visit: { readonly executed: (row: Local<'i32'>) => void; readonly passed: (row: Local<'i32'>) => void },
): void {
  const { layout } = target;
  const { kv: policy } = layout.program.routing;
  f.for(0, tokens, (row) => {
    const next = f.let('i32', i32.load(element(layout, '$next', row)));
    f.if(i32.eq(next, block), () => visit.executed(row));
    if (policy === 'absent') return;
    const ahead = i32.gt(next, block);
    const leaves = policy === 'latest' ? i32.and(ahead, i32.ge(i32.load(latestOf(target, row)), 0)) : ahead;
    f.if(leaves, () => visit.passed(row));
  });
}

/** Makes the block's list long enough for all entries that the tokens leave. */
function claimEntries(
  target: Target,
  f: FunctionBuilder,
  block: BlockInstance & { readonly list: number },
  tokens: I32,
): void {
  const { layout, module } = target;
  const name = 'claim_entries';
  module.define(name, { params: ['i32', 'i32', 'i32'] }, (g, [id, list, count]) => {
    const [entries, last, mark] = [g.let('i32', 0), g.let('i32', 0), g.let('i32', EXECUTED)];
    const visit = (as: number) => (row: Local<'i32'>) => {
      g.increase(entries, 1);
      g.set<'i32'>(last, row);
      g.set<'i32'>(mark, as);
    };
    eachEntry(target, g, { block: id, tokens: count }, { executed: visit(EXECUTED), passed: visit(FILLED) });
    g.if(entries, () => {
      const position = i32.load(element(layout, '$pos', last));
      growList(target, g, list, i32.add(i32.load(listLength(layout, list)), entries), { position, mark });
    });
  });
  f.call(name, [block.id, listOf(layout, block.list, 0), tokens]);
}

/** Lists the tokens that execute the block in `$rows`, or those that pass it in `$passed`, and their slots in `$slot`. */
function gather(
  target: Target,
  f: FunctionBuilder,
  which: 'rows' | 'passed',
  block: BlockInstance,
  firstSlot: I32,
  tokens: I32,
): Expr<'i32'> {
  const { layout, module } = target;
  const name = `gather_${which}_and_slots`;
  module.define(name, { params: ['i32', 'i32', 'i32'], result: 'i32' }, (g, [id, first, count]) => {
    const [found, slot] = [g.let('i32', 0), g.let('i32', first)];
    const skip = (): void => g.increase(slot, 1);
    const take = (row: Local<'i32'>): void => {
      g.storeI32(element(layout, `$${which}`, found), row);
      g.storeI32(element(layout, '$slot', found), slot);
      g.increase(found, 1);
      g.increase(slot, 1);
    };
    const visit = which === 'rows' ? { executed: take, passed: skip } : { executed: skip, passed: take };
    eachEntry(target, g, { block: id, tokens: count }, visit);
    g.return(found);
  });
  return f.result('i32', name, [block.id, firstSlot, tokens]);
}

/** The rows of `$rows` go on from the block to their next one. */
function advance(target: Target, f: FunctionBuilder, { id, edge, scores = NONE }: BlockInstance, rows: I32): void {
  const { layout, module } = target;
  const decides = decidesInOneSweep(layout.program);
  const name = isGate(edge) ? 'advance_to_gates' : 'advance';
  const [prepares, weighs] = [preparesScores(target), isWeighted(layout.program)];
  module.define(name, { params: ['i32', 'i32', 'i32', 'i32'] }, (g, [count, block, first, scored]) => {
    g.for(0, count, (i) => {
      const row = g.let('i32', i32.load(element(layout, '$rows', i)));
      if (decides) g.storeI32(hopOf(target, row), block);
      if (prepares) g.storeI32(element(layout, '$scored', row), scored);
      const hop = g.let('i32', i32.add(i32.load(element(layout, '$hop', row)), 1));
      g.storeI32(element(layout, '$hop', row), hop);
      g.storeI32(element(layout, '$next', row), i32.load(walkAt(layout, row, hop)));
      if (decides) leave(target, g, { first, isGate: isGate(edge) }, { row, hop });
      if (weighs) weighWhole(target, g, row);
    });
  });
  f.call(name, [rows, id, firstOf(edge), scores]);
  if (weighs && edge.router?.kind === 'hub') weighLeaving(target, f, edge, rows);
}

export function isGate({ router }: Edge): boolean {
  return router?.kind === 'gate';
}

export function firstOf({ successors: [first = 'exit'] }: Edge): number {
  return codeOf(first);
}

/**
 * Lets a row whose walk is open at this hop go to the first successor of the edge that it takes: to try its gate, if that
 * is what the edge asks; otherwise it is decided.
 */
export function leave(
  target: Target,
  f: FunctionBuilder,
  edge: { readonly first: I32; readonly isGate: boolean },
  { row, hop }: { readonly row: I32; readonly hop: I32 },
): void {
  const { layout } = target;
  const next = element(layout, '$next', row);
  f.if(i32.eq(i32.load(next), WALK_DECIDE), () => {
    f.storeI32(next, edge.first);
    f.if(i32.ge(hop, layout.program.routing.maxHops), () => f.storeI32(next, WALK_END));
    if (!edge.isGate) f.storeI32(walkAt(layout, row, hop), i32.load(next));
  });
}

/** Address of a row's present hop in its walk. */
export function hopOf({ layout }: Target, row: I32): I32 {
  return walkAt(layout, row, i32.load(element(layout, '$hop', row)));
}

export function endWalks(target: Target, f: FunctionBuilder, tokens: I32): void {
  f.for(0, tokens, (row) => f.storeI32(hopOf(target, row), WALK_END));
}

function latestOf({ layout }: Target, row: I32): I32 {
  return i32.add(layout.buffer('$latest').at, i32.mul(row, LATEST_BYTES));
}

function rememberLatest(target: Target, f: FunctionBuilder, list: I32, rows: I32): void {
  const { layout, module } = target;
  const name = 'remember_latest';
  module.define(name, { params: ['i32', 'i32'] }, (g, [listParam, count]) => {
    g.for(0, count, (i) => {
      const to = g.let('i32', latestOf(target, i32.load(element(layout, '$rows', i))));
      g.storeI32(to, listParam);
      g.storeI32(to, i32.load(element(layout, '$slot', i)), FLOAT_BYTES);
    });
  });
  f.call(name, [list, rows]);
}

/** Each row of `$passed` leaves a copy of its latest entry in its slot. */
function copyLatest(
  target: Target,
  f: FunctionBuilder,
  block: BlockInstance & { readonly list: number },
  passed: I32,
): void {
  const { layout } = target;
  f.for(0, passed, (i) => {
    const latest = f.let('i32', latestOf(target, i32.load(element(layout, '$passed', i))));
    const from = { list: i32.load(latest), slot: i32.load(latest, FLOAT_BYTES) };
    const to = { list: listOf(layout, block.list, 0), slot: i32.load(element(layout, '$slot', i)) };
    copyEntry(target, f, block, from, to);
  });
}
