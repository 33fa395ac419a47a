/**
 * @file A step of several sequences: each row is a token of another one, at its own position and on its own walk.
 *
 * A row waits for the block in `$next`; where its hop in `$walk` is still {@link WALK_DECIDE}, for the gate of that block. The
 * scheduler names a block, and all rows that wait there go through together, until all are at the exit. No row looks at what
 * another leaves, so that results do not depend on who else is there, nor on the order in which blocks run.
 */
import { WALK_DECIDE, WALK_END, hasLearnedRouters, isWeighted, needsWalk } from '../../../ir/index.ts';
import type { BlockInstance, Successor } from '../../../ir/index.ts';
import type { FunctionBuilder } from '../asm/function.ts';
import { i32 } from '../asm/values.ts';
import type { I32 } from '../asm/values.ts';
import { listOf } from '../kernels/kv.ts';
import { callBody } from './bodies.ts';
import type { Target } from './bodies.ts';
import { enterRows, listRows } from './entry.ts';
import { passOver } from './passing.ts';
import { endWalks, firstOf, gatherRows, hopOf, isGate, leave, sweepGate } from './prefill.ts';
import { hasGate, highest, hubOf, preparesScores } from './routers.ts';
import { NOTHING_WAITS, nextBlock } from './schedule.ts';
import { EXECUTED, element, placeEntry } from './slots.ts';
import { hasList, walkAt } from './walk.ts';
import { weighLeaving, weighWhole } from './weighting.ts';

const NONE = -1;

/** What rows leave: a block, or the entry, whose id is -1. */
type Origin = Pick<BlockInstance, 'id' | 'edge' | 'scores'>;

export function defineStep(target: Target): void {
  const { module, layout } = target;
  const { program } = layout;
  if (needsWalk(program)) defineVisits(target);
  module.define('step', { params: ['i32', 'i32'] }, (f, [rows, forward]) => {
    enterRows(target, f, rows);
    if (!needsWalk(program)) {
      for (const block of program.blocks) execute(target, f, block, rows);
      return;
    }
    moveOn(target, f, { id: NONE, edge: program.entry.edge }, rows);
    const block = f.let('i32', nextBlock(target, f, rows, forward));
    f.while(i32.ne(block, NOTHING_WAITS), () => {
      f.call('visit_block', [block, rows]);
      f.set<'i32'>(block, nextBlock(target, f, rows, forward));
    });
    listRows(target, f, 0, rows);
    passOver(target, f, behindAll(target), rows);
    if (hasLearnedRouters(program)) endWalks(target, f, rows);
  });
  module.export('step');
}

/** visit_block(block, rows): all rows that wait for the block execute it, or go on behind its gate. */
function defineVisits(target: Target): void {
  const { module, layout } = target;
  const { program } = layout;
  module.define('visit_block', { params: ['i32', 'i32'] }, (f, [id, rows]) => {
    const visit = (block: BlockInstance) => () => {
      if (hasLearnedRouters(program) && hasGate(block)) sweepGate(target, f, block, rows);
      const here = f.let('i32', gatherRows(target, f, block.id, rows));
      f.if(here, () => {
        passOver(target, f, block.id, here);
        execute(target, f, block, here);
        moveOn(target, f, block, here);
      });
    };
    // A walk with the id of no block would wait there forever.
    const gaps = Array.from({ length: behindAll(target) }, (_, gap) => [gap, () => f.trap()] as const);
    f.choose(id, new Map([...gaps, ...program.blocks.map((block) => [block.id, visit(block)] as const)]));
  });
}

function behindAll({ layout }: Target): number {
  return (layout.program.blocks.at(-1)?.id ?? NONE) + 1;
}

/** The first `rows` rows of `$rows` execute the block, each with its sequence's list. */
function execute(target: Target, f: FunctionBuilder, block: BlockInstance, rows: I32): void {
  const { module, layout } = target;
  if (hasList(block)) {
    module.define('place_rows', { params: ['i32', 'i32'] }, (g, [list, count]) => {
      g.for(0, count, (i) => {
        const row = g.let('i32', i32.load(element(layout, '$rows', i)));
        const position = i32.load(element(layout, '$pos', row));
        const slot = placeEntry(target, g, listOf(layout, list, row), position, EXECUTED);
        g.storeI32(element(layout, '$slot', i), slot);
      });
    });
    f.call('place_rows', [block.list, rows]);
  }
  callBody(target, f, block, { list: layout.buffer('$rows').at, rows, kv: block.list ?? NONE });
}

/** The first `count` rows of `$rows` go on to where their walks lead, or where the routers say. */
function moveOn(target: Target, code: FunctionBuilder, origin: Origin, count: I32): void {
  const { edge } = origin;
  const first = firstOf(edge);
  const args = [count, origin.id, first, origin.scores ?? NONE];
  if (edge.router?.kind !== 'hub') {
    code.call(defineMove(target, origin), args);
    return;
  }
  const deciding = code.let('i32', code.result('i32', defineMove(target, origin), args));
  code.if(deciding, () => askHub(target, code, edge.successors, deciding));
  if (isWeighted(target.layout.program)) weighLeaving(target, code, edge, count);
}

/**
 * Defines move(count, left block, first successor, block whose gate is prepared), and gives its name. That of hub edges lists
 * the rows that the hub is to lead in `$deciding`, and gives their number.
 */
function defineMove(target: Target, { id, edge }: Origin): string {
  const { module, layout } = target;
  const { program } = layout;
  const { maxHops, anchors = 0 } = program.routing;
  const [isEntry, asksHub, learned] = [id === NONE, edge.router?.kind === 'hub', hasLearnedRouters(program)];
  const name = `move${isEntry ? '_from_entry' : ''}${asksHub ? '_to_hub' : isGate(edge) ? '_to_gates' : ''}`;
  const params = ['i32', 'i32', 'i32', 'i32'] as const;
  module.define(name, { params, ...(asksHub && ({ result: 'i32' } as const)) }, (f, [rows, block, first, scored]) => {
    const deciding = f.let('i32', 0);
    f.for(0, rows, (i) => {
      const row = f.let('i32', i32.load(element(layout, '$rows', i)));
      if (learned && !isEntry) f.storeI32(hopOf(target, row), block);
      if (preparesScores(target)) f.storeI32(element(layout, '$scored', row), scored);
      if (isWeighted(program)) weighWhole(target, f, row);
      const hop = f.let('i32', isEntry ? 0 : i32.add(i32.load(element(layout, '$hop', row)), 1));
      const next = element(layout, '$next', row);
      f.storeI32(element(layout, '$hop', row), hop);
      f.storeI32(next, i32.load(walkAt(layout, row, hop)));
      f.if(i32.ge(hop, maxHops), () => f.storeI32(next, WALK_END));
      if (!learned) return;
      const goOn = (): void => leave(target, f, { first, isGate: isGate(edge) }, { row, hop });
      if (!asksHub) {
        goOn();
        return;
      }
      const isFree = i32.ge(i32.load(element(layout, '$pos', row)), anchors);
      const asks = (): void => {
        f.storeI32(element(layout, '$deciding', deciding), row);
        f.increase(deciding, 1);
      };
      f.if(i32.and(i32.eq(i32.load(next), WALK_DECIDE), isFree), asks, goOn);
    });
    if (asksHub) f.return(deciding);
  });
  return name;
}

/** The rows of `$deciding` go where the hub sends them. */
function askHub(target: Target, f: FunctionBuilder, successors: readonly Successor[], count: I32): void {
  const { layout } = target;
  callBody(target, f, hubOf(target), { list: layout.buffer('$deciding').at, rows: count });
  f.for(0, count, (i) => {
    const next = highest(target, f, successors, i);
    const row = f.let('i32', i32.load(element(layout, '$deciding', i)));
    f.storeI32(element(layout, '$next', row), next);
    f.storeI32(hopOf(target, row), next);
  });
}
