/** @file How a token that no walk leads finds its next block: it tries gates, or asks the hub, or an oracle looks ahead. */
import { WALK_END, askedOracle, behindGates, hubColumn, strideOf } from '../../../ir/index.ts';
import type { BlockInstance, Instance, Successor } from '../../../ir/index.ts';
import type { FunctionBuilder, Local } from '../asm/function.ts';
import { FLOAT_BYTES, f32, i32 } from '../asm/values.ts';
import type { Expr, I32 } from '../asm/values.ts';
import { callBody } from './bodies.ts';
import type { Target } from './bodies.ts';
import { isSmall } from './oracle.ts';
import { element } from './slots.ts';

/** Blocks whose gate's score the block before may have prepared. */
type FinishedBlock = GatedBlock & { readonly finish: Instance };

export type GatedBlock = BlockInstance & { readonly gate: Instance };

/** What `$walk` and `$next` say for a successor. */
export function codeOf(successor: Successor): number {
  return successor === 'exit' ? WALK_END : successor;
}

export function hasGate(block: BlockInstance): block is GatedBlock {
  return block.gate !== undefined;
}

/** Where a token goes on that finds the block's gate closed, or that an oracle keeps from it. */
export function behindGate({ layout }: Target, block: BlockInstance): number {
  return codeOf(behindGates(layout.program).get(block.id) ?? 'exit');
}

export function isFinished(block: BlockInstance): block is FinishedBlock {
  return block.gate !== undefined && block.finish !== undefined;
}

/** Whether blocks prepare scores. */
export function preparesScores({ layout }: Pick<Target, 'layout'>): boolean {
  return layout.program.blocks.some(({ scores }) => scores !== undefined);
}

/** 1 where the score of row i of the list that a gate has scored is above the level. */
export function isOpen({ layout }: Target, i: I32): Expr<'i32'> {
  return f32.gt(f32.load(scoresOf({ layout }, i)), f32.load(layout.buffer('$level').at));
}

/** decide(left, hop, position): the block where the token in row 0 goes after block `left`, or the end of its walk. */
export function decide(target: Target, code: FunctionBuilder, left: I32, hop: I32, position: I32): Expr<'i32'> {
  const { module, layout } = target;
  const { program } = layout;
  const name = 'decide';
  module.define(name, { params: ['i32', 'i32', 'i32'], result: 'i32' }, (f, [from, hops, at]) => {
    const next = f.let('i32', WALK_END);
    const choose = (left: Left) => () => decideBehind(target, f, left, { next, hop: hops, position: at });
    // The entry stands before block 0.
    const cases = [
      [0, choose(program.entry)] as const,
      ...program.blocks.map((block) => [block.id + 1, choose(block)] as const),
    ];
    f.choose(i32.add(from, 1), new Map(cases));
    f.return(next);
  });
  return code.result('i32', name, [left, hop, position]);
}

/** What a token leaves: the entry, or a block. */
type Left = Pick<BlockInstance, 'edge' | 'scores'>;

/** Sets `next` as {@link decide} does, for a token that leaves this block or the entry. */
export function decideBehind(
  target: Target,
  f: FunctionBuilder,
  { edge, scores }: Left,
  { next, hop, position }: { readonly next: Local<'i32'>; readonly hop: I32; readonly position: I32 },
): void {
  const { blocks, routing } = target.layout.program;
  const [first = 'exit'] = edge.successors;
  f.set<'i32'>(next, codeOf(first));
  if (edge.router === null || edge.router.kind === 'external') return;
  const decides = (): void => {
    const prepared = blocks.filter(isFinished).find(({ id }) => id === scores);
    if (edge.router?.kind === 'hub') askHub(target, f, edge.successors, { next, hops: hop });
    else if (prepared === undefined) f.set<'i32'>(next, arrive(target, f, next));
    else {
      callBody(target, f, prepared.finish, { list: target.layout.buffer('$rows').at, rows: 1 });
      f.if(i32.eq(isOpen(target, 0), 0), () => {
        f.set<'i32'>(next, arrive(target, f, behindGate(target, prepared)));
      });
    }
  };
  if (askedOracle(target.layout.program) !== undefined) decides();
  else f.if(i32.ge(position, routing.anchors ?? 0), decides);
}

/** arrive(block): the first block from this one on, along the ways behind closed ones, that lets the token in. */
function arrive(target: Target, code: FunctionBuilder, block: I32): Expr<'i32'> {
  const { module, layout } = target;
  const name = 'arrive';
  module.define(name, { params: ['i32'], result: 'i32' }, (f, [next]) => {
    const closed = f.local('i32');
    const goOn = (tried: BlockInstance) => () => {
      f.set<'i32'>(next, behindGate(target, tried));
      f.set<'i32'>(closed, 1);
    };
    const tryGate = (gated: GatedBlock) => () => {
      callBody(target, f, gated.gate, { list: layout.buffer('$rows').at, rows: 1 });
      f.if(i32.eq(isOpen(target, 0), 0), goOn(gated));
    };
    const { program } = layout;
    const oracle = askedOracle(program);
    const cases =
      oracle === undefined
        ? program.blocks.filter(hasGate).map((gated) => [gated.id, tryGate(gated)] as const)
        : program.blocks.map(
            (block) => [block.id, () => f.if(isSmall(target, f, block, oracle), goOn(block))] as const,
          );
    f.repeat(closed, () => {
      f.set<'i32'>(closed, 0);
      f.choose(next, new Map(cases));
    });
    f.return(next);
  });
  return code.result('i32', name, [block]);
}

/** Sets `next` to where the hub sends the token in row 0. */
function askHub(
  target: Target,
  f: FunctionBuilder,
  successors: readonly Successor[],
  { next, hops }: { readonly next: Local<'i32'>; readonly hops: I32 },
): void {
  const { layout } = target;
  f.storeI32(element(layout, '$hop', 0), hops);
  callBody(target, f, hubOf(target), { list: layout.buffer('$rows').at, rows: 1 });
  f.set<'i32'>(next, highest(target, f, successors, 0));
}

/** After the hub has scored: where row i of the list goes, to the successor with the highest score, of equal ones the first. */
export function highest(target: Target, f: FunctionBuilder, successors: readonly Successor[], i: I32): Local<'i32'> {
  const { columns } = target.layout.buffer('$router');
  const wanted = successors.map((successor) => hubColumn(successor, columns));
  const scores = f.let('i32', scoresOf(target, i));
  const best = f.let('i32', wanted[0] ?? 0);
  for (const run of runsOf(wanted)) f.set<'i32'>(best, higher(target, f, { scores, best, run }));
  f.if(i32.eq(best, columns - 1), () => f.set<'i32'>(best, WALK_END));
  return best;
}

export function hubOf({ layout }: Target): Instance {
  const { hub } = layout.program;
  if (hub === undefined) throw new Error('internal: an edge asks for a hub that is not there');
  return hub;
}

/** Columns [from, to). */
export interface Run {
  readonly from: number;
  readonly to: number;
}

/** The column with the highest of the scores at an address, among `best` and the run. */
function higher(
  { module }: Target,
  code: FunctionBuilder,
  { scores, best, run }: { readonly scores: I32; readonly best: I32; readonly run: Run },
): Expr<'i32'> {
  const name = 'higher_score';
  const params = ['i32', 'i32', 'i32', 'i32'] as const;
  module.define(name, { params, result: 'i32' }, (f, [at, found, first, end]) => {
    const score = (column: I32): Expr<'f32'> => f32.load(i32.add(at, i32.mul(column, FLOAT_BYTES)));
    f.for(first, end, (column) => {
      f.if(f32.gt(score(column), score(found)), () => f.set<'i32'>(found, column));
    });
    f.return(found);
  });
  return code.result('i32', name, [scores, best, run.from, run.to]);
}

/** Cuts a list of columns into pieces that ascend by one. */
export function runsOf(columns: readonly number[]): readonly Run[] {
  const runs: Run[] = [];
  for (const column of columns) {
    const last = runs.at(-1);
    if (last?.to === column) runs[runs.length - 1] = { from: last.from, to: column + 1 };
    else runs.push({ from: column, to: column + 1 });
  }
  return runs;
}

/** Address of the scores of row i of the list that was scored last. */
export function scoresOf({ layout }: Pick<Target, 'layout'>, i: I32): I32 {
  const { at, columns } = layout.buffer('$router');
  return i32.add(at, i32.mul(i, strideOf({ dtype: 'f32', columns }) * FLOAT_BYTES));
}
