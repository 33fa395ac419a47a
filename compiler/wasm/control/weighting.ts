/**
 * @file What routers weigh: `$probability` of each row that comes to a block, by the edge that it takes. Whoever chose the
 * edge, router or walk, the scores are those on which the router decides.
 */
import { PROBABILITY, SCORES, WALK_END, hubColumn, strideOf } from '../../../ir/index.ts';
import type { Edge, Instance } from '../../../ir/index.ts';
import type { FunctionBuilder, Local } from '../asm/function.ts';
import { FLOAT_BYTES, f32x4, i32 } from '../asm/values.ts';
import type { I32, V128 } from '../asm/values.ts';
import { exp, sigmoid } from '../kernels/functions.ts';
import { callBody } from './bodies.ts';
import type { Target } from './bodies.ts';
import { hasGate, hubOf, runsOf, scoresOf } from './routers.ts';
import type { GatedBlock } from './routers.ts';
import { element } from './slots.ts';

interface Hop {
  readonly left: I32;
  readonly block: I32;
  readonly hop: I32;
  /** 1 where the router of the edge has just decided, so that its scores are there. */
  readonly asked: I32;
}

/** The token in row 0 goes from block `left` to another. */
export function weighHop(target: Target, code: FunctionBuilder, { left, block, hop, asked }: Hop): void {
  const { module, layout } = target;
  const { blocks, entry } = layout.program;
  const name = 'weigh_hop';
  module.define(name, { params: ['i32', 'i32', 'i32', 'i32'] }, (f, [from, to, hops, isAsked]) => {
    weighWhole(target, f, 0);
    f.storeI32(element(layout, '$next', 0), to);
    f.storeI32(element(layout, '$hop', 0), hops);
    const ask = (router: Instance): void => {
      f.if(i32.eq(isAsked, 0), () => callBody(target, f, router, { list: layout.buffer('$rows').at, rows: 1 }));
    };
    // The entry stands before block 0.
    const edges = [{ id: -1, edge: entry.edge }, ...blocks].filter(({ edge }) => edge.router?.kind === 'hub');
    const byHub = (edge: Edge) => () => {
      ask(hubOf(target));
      weighByHub(target, f, edge, 1);
    };
    f.choose(i32.add(from, 1), new Map(edges.map(({ id, edge }) => [id + 1, byHub(edge)])));
    const byGate = (gated: GatedBlock) => () => {
      askGate(target, f, gated, from, ask);
      weighByGate(target, f, 1);
    };
    f.choose(to, new Map(blocks.filter(hasGate).map((gated) => [gated.id, byGate(gated)])));
  });
  code.call(name, [left, block, hop, asked]);
}

/** The gate itself, or what finishes the score that block `left` has prepared. */
function askGate(
  { layout }: Target,
  f: FunctionBuilder,
  { id, gate, finish }: GatedBlock,
  left: Local<'i32'>,
  ask: (router: Instance) => void,
): void {
  const preparers = layout.program.blocks.filter(({ scores }) => scores === id);
  if (finish === undefined || preparers.length === 0) {
    ask(gate);
    return;
  }
  const isPrepared = preparers.map((block): I32 => i32.eq(left, block.id)).reduce((a, b) => i32.or(a, b));
  f.if(
    isPrepared,
    () => ask(finish),
    () => ask(gate),
  );
}

/** The first rows of `$rows` take an edge that asks the hub, to where `$next` says. Those that go to the exit leave the list. */
export function weighLeaving(target: Target, f: FunctionBuilder, edge: Edge, rows: I32): void {
  const { layout, module } = target;
  const name = 'gather_going';
  module.define(name, { params: ['i32'], result: 'i32' }, (g, [count]) => {
    const found = g.let('i32', 0);
    g.for(0, count, (i) => {
      const row = g.let('i32', i32.load(element(layout, '$rows', i)));
      g.if(i32.ne(i32.load(element(layout, '$next', row)), WALK_END), () => {
        g.storeI32(element(layout, '$rows', found), row);
        g.increase(found, 1);
      });
    });
    g.return(found);
  });
  const going = f.let('i32', f.result('i32', name, [rows]));
  f.if(going, () => {
    callBody(target, f, hubOf(target), { list: layout.buffer('$rows').at, rows: going });
    weighByHub(target, f, edge, going);
  });
}

/** The row adds all of its next branch, unless its router weighs it. */
export function weighWhole(target: Target, f: FunctionBuilder, row: I32): void {
  f.storeF32(probabilityOf(target, row), 1);
}

/** After a gate has scored the first rows of `$rows`: they come to its block. */
export function weighByGate(target: Target, code: FunctionBuilder, rows: I32): void {
  const name = 'weigh_by_gate';
  target.module.define(name, { params: ['i32'] }, (f, [count]) => {
    f.for(0, count, (i) => {
      const row = i32.load(element(target.layout, '$rows', i));
      f.storeFirst(probabilityOf(target, row), sigmoid(f, f32x4.loadSplat(scoresOf(target, i))));
    });
  });
  code.call(name, [rows]);
}

/** After the hub has scored the first rows of `$rows`: they take the edge to the block in `$next`. */
function weighByHub(target: Target, code: FunctionBuilder, { successors }: Edge, rows: I32): void {
  const { layout } = target;
  const { columns } = layout.buffer(SCORES);
  const runs = runsOf(successors.map((successor) => hubColumn(successor, columns)));
  code.for(0, rows, (i) => {
    const row = code.let('i32', i32.load(element(layout, '$rows', i)));
    const next = code.let('i32', i32.load(element(layout, '$next', row)));
    const scores = code.let('i32', scoresOf(target, i));
    const own = code.let('v128', f32x4.loadSplat(i32.add(scores, i32.mul(next, FLOAT_BYTES))));
    const total = code.let('v128', f32x4.splat(0));
    for (const { from, to } of runs) code.set<'v128'>(total, addShares(target, code, { scores, from, to, own, total }));
    code.storeFirst(probabilityOf(target, row), f32x4.div(f32x4.splat(1), total));
  });
}

interface Shares {
  readonly scores: I32;
  /** Columns [from, to). */
  readonly from: number;
  readonly to: number;
  readonly own: V128;
  readonly total: V128;
}

/** total + Σ e^(score - own) */
function addShares({ module }: Target, code: FunctionBuilder, { scores, from, to, own, total }: Shares): V128 {
  const name = 'add_shares';
  const params = ['i32', 'i32', 'i32', 'v128', 'v128'] as const;
  module.define(name, { params, result: 'v128' }, (f, [at, first, end, subtracted, sum]) => {
    f.for(first, end, (column) => {
      const score = f32x4.loadSplat(i32.add(at, i32.mul(column, FLOAT_BYTES)));
      f.set<'v128'>(sum, f32x4.add(sum, exp(f, f32x4.sub(score, subtracted))));
    });
    f.return(sum);
  });
  return code.result('v128', name, [scores, from, to, own, total]);
}

function probabilityOf({ layout }: Target, row: I32): I32 {
  const { at, columns } = layout.buffer(PROBABILITY);
  return i32.add(at, i32.mul(row, strideOf({ dtype: 'f32', columns }) * FLOAT_BYTES));
}
