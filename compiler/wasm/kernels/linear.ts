/**
 * @file The linear kernel: GEMM tiles of one panel for several rows, a GEMV of several panels for one row; and what is fused
 * into them.
 */
import { PANEL } from '../../../ir/index.ts';
import type { Activation } from '../../../ir/index.ts';
import type { FunctionBuilder } from '../asm/function.ts';
import type { ModuleBuilder } from '../asm/module.ts';
import { FLOAT_BYTES, VECTOR_BYTES, f32x4, i32 } from '../asm/values.ts';
import type { I32, V128 } from '../asm/values.ts';
import { GEMM_ROWS, planLinear } from '../plan/linear.ts';
import type { LinearPlan, LinearShape, Tile } from '../plan/linear.ts';
import type { ViewShape } from '../plan/layout.ts';
import { NORMED } from '../plan/scratch.ts';
import { activate } from './functions.ts';
import { eachRow, rowAddress } from './loops.ts';
import { normInto } from './norm.ts';
import { PANEL_VECTORS, floatProducts, int8Products, panelOf } from './products.ts';
import { rounded } from './rounded.ts';
import { numberOf, optionalView, optionalWeight, outOf, textOf, viewOf, weightOf } from './site.ts';
import type { Operand, Site } from './site.ts';

/** Bytes of a row of the output across a panel. */
const PANEL_ROW_BYTES = PANEL * FLOAT_BYTES;

/** Base addresses, as every function of a linear kernel takes them; 0 where the kernel has no such operand. */
interface Bases {
  readonly list: I32;
  readonly x: I32;
  readonly weight: I32;
  readonly bias: I32;
  readonly mul: I32;
  readonly residual: I32;
  readonly out: I32;
  readonly scorer: I32;
  readonly partial: I32;
}

export function emitLinear(site: Site): void {
  const weight = weightOf(site, 'weight');
  const weights = weight.shape.layout === 'int8' ? 'int8' : 'panels';
  const input = textOf(site, 'norm') === undefined ? viewOf(site, 'x') : normalised(site);
  const x = weights === 'int8' ? rounded(site, input) : input;
  const [mul, residual, bias] = [
    optionalView(site, 'mul'),
    optionalView(site, 'residual'),
    optionalWeight(site, 'bias'),
  ];
  const [scorer, partial] = [optionalWeight(site, 'scorer'), optionalView(site, 'partial')];
  const out = outOf(site);
  const shape: LinearShape = {
    x: x.shape,
    weights,
    out: out.shape,
    mul: mul?.shape,
    residual: residual?.shape,
    bias: bias !== undefined,
    probability: optionalView(site, 'probability'),
    partial: partial?.shape,
    act: textOf(site, 'act') as Activation | undefined,
    first: numberOf(site, 'first'),
  };
  const plan = planLinear(shape);
  const bases: Bases = {
    list: site.list,
    x: x.address,
    weight: i32.add(weight.address, plan.weightOffset),
    bias: bias === undefined ? 0 : i32.add(bias.address, plan.biasOffset),
    mul: mul?.address ?? 0,
    residual: residual?.address ?? 0,
    out: out.address,
    scorer: scorer?.address ?? 0,
    partial: partial?.address ?? 0,
  };
  if (partial !== undefined) clear(site, partial);
  defineGemm(site.module, shape, plan);
  defineGemv(site.module, shape, plan);
  site.code.if(
    i32.eq(site.rows, 1),
    () => sweepGemv(site.code, plan, bases),
    () => sweepPanels(site.code, plan, bases, site.rows, 0),
  );
}

/** The rows of x, normalised into the target's own buffer. */
function normalised(site: Site): Operand<ViewShape> {
  const { at, columns } = site.layout.buffer(NORMED);
  const stride = Math.ceil(columns / PANEL) * PANEL * FLOAT_BYTES;
  const x = viewOf(site, 'x').shape;
  const rows: Operand<ViewShape> = { address: at, shape: { ...x, stride, routed: false } };
  normInto(site, rows);
  return rows;
}

/** All tiles of the GEMV for one row, then what panels are left. */
function sweepGemv(code: FunctionBuilder, plan: LinearPlan, bases: Bases): void {
  const { name, step, end, covered } = plan.gemv;
  if (end > 0) code.for(0, end, (panel) => code.call(name, args(1, at(plan, bases, panel))), step);
  if (covered < plan.panels) sweepPanels(code, plan, bases, 1, covered);
}

/** Panel after panel, each for all rows: a panel stays in the cache, and the rows are few enough to. */
function sweepPanels(code: FunctionBuilder, plan: LinearPlan, bases: Bases, rows: I32, from: number): void {
  code.for(from, plan.panels, (panel) => code.call(plan.gemm, args(rows, at(plan, bases, panel))));
}

function at(plan: LinearPlan, bases: Bases, panel: I32): Bases {
  const columns = i32.mul(panel, PANEL_ROW_BYTES);
  return {
    list: bases.list,
    x: bases.x,
    weight: i32.add(bases.weight, i32.mul(panel, plan.panelBytes)),
    bias: i32.add(bases.bias, columns),
    mul: i32.add(bases.mul, columns),
    residual: i32.add(bases.residual, columns),
    out: i32.add(bases.out, columns),
    scorer: i32.add(bases.scorer, columns),
    partial: bases.partial,
  };
}

function args(rows: I32, bases: Bases): readonly I32[] {
  const { list, x, weight, bias, mul, residual, out, scorer, partial } = bases;
  return [list, rows, x, weight, bias, mul, residual, out, scorer, partial];
}

const params = ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'] as const;

/** Sets the products of all rows to zero: each panel adds to them. */
function clear(site: Site, partial: Operand<ViewShape>): void {
  eachRow(site, 'f32_clear_partial', [partial], (f, { at: [row] }) => {
    if (row === undefined) return;
    for (let at = 0; at < partial.shape.columns * FLOAT_BYTES; at += VECTOR_BYTES) f.store(row, f32x4.splat(0), at);
  });
}

/** One panel for any number of rows. */
function defineGemm(module: ModuleBuilder, shape: LinearShape, plan: LinearPlan): void {
  module.define(plan.gemm, { params }, (f, [list, rows, x, weight, bias, mul, residual, out, scorer, partial]) => {
    const bases: Bases = { list, x, weight, bias, mul, residual, out, scorer, partial };
    const i = f.let('i32', 0);
    const tile = (height: number): void =>
      emitTile(module, f, shape, plan, { rows: height, panels: 1, apart: 1 }, bases, i);
    f.while(i32.ge(rows, i32.add(i, GEMM_ROWS)), () => {
      tile(GEMM_ROWS);
      f.increase(i, GEMM_ROWS);
    });
    const left = f.let('i32', i32.sub(rows, i));
    const heights = Array.from({ length: GEMM_ROWS - 1 }, (_, less) => less + 1);
    f.choose(left, new Map(heights.map((height) => [height, () => tile(height)])));
  });
}

/** Several panels for the first row of the list. */
function defineGemv(module: ModuleBuilder, shape: LinearShape, plan: LinearPlan): void {
  const { name, tile, end } = plan.gemv;
  if (end === 0) return;
  module.define(name, { params }, (f, [list, , x, weight, bias, mul, residual, out, scorer, partial]) => {
    const bases: Bases = { list, x, weight, bias, mul, residual, out, scorer, partial };
    emitTile(module, f, shape, plan, tile, bases, 0);
  });
}

/** Rows i … i + tile.rows - 1 times the panels of the tile. */
function emitTile(
  module: ModuleBuilder,
  f: FunctionBuilder,
  shape: LinearShape,
  plan: LinearPlan,
  tile: Tile,
  bases: Bases,
  i: I32,
): void {
  const rows = Array.from({ length: tile.rows }, (_, r) => i32.add(i, r));
  const inputs = rows.map((row) => f.let('i32', rowAddress(shape.x, bases.x, bases.list, row)));
  const products = shape.weights === 'int8' ? int8Products : floatProducts;
  const sums = products(f, plan, tile, { weight: bases.weight, inputs });
  rows.forEach((row, r) => {
    const [to, factor, base] = [shape.out, shape.mul, shape.residual].map((view, o) =>
      view === undefined
        ? undefined
        : f.let('i32', rowAddress(view, [bases.out, bases.mul, bases.residual][o] ?? 0, bases.list, row)),
    );
    const probability =
      shape.probability &&
      f.let('v128', f32x4.loadSplat(rowAddress(shape.probability.shape, shape.probability.address, bases.list, row)));
    const score = shape.partial === undefined ? undefined : scoreRow(f, shape.partial, bases, row);
    for (let v = 0; v < tile.panels * PANEL_VECTORS; v++) {
      const offset = panelOf(tile, v) * PANEL_ROW_BYTES + (v % PANEL_VECTORS) * VECTOR_BYTES;
      let value: V128 | undefined = sums[r]?.[v];
      if (value === undefined || to === undefined) continue;
      if (shape.bias) value = f32x4.add(value, f32x4.load(bases.bias, offset));
      if (shape.act !== undefined) value = activate(module, f, shape.act, value);
      if (factor !== undefined) value = f32x4.mul(f32x4.load(factor, offset), value);
      if (probability !== undefined) value = f32x4.mul(probability, value);
      if (base !== undefined) value = f32x4.add(f32x4.load(base, offset), value);
      if (score === undefined) f.store(to, value, offset);
      else f.store(to, score.add(value, offset), offset);
    }
    score?.end();
  });
}

/**
 * Adds vectors of a row, as they are made, to its products with the scorer and with itself. They are added in the order of
 * the columns, whatever the tile, so that scores do not depend on how many rows are computed together.
 */
function scoreRow(f: FunctionBuilder, view: ViewShape, bases: Bases, row: I32): RowScore {
  const at = f.let('i32', rowAddress(view, bases.partial, bases.list, row));
  const [dot, square] = [f.let('v128', f32x4.load(at)), f.let('v128', f32x4.load(at, VECTOR_BYTES))];
  const made = f.local('v128');
  return {
    add: (value, offset) => {
      f.set<'v128'>(made, value);
      f.set<'v128'>(dot, f32x4.add(dot, f32x4.mul(made, f32x4.load(bases.scorer, offset))));
      f.set<'v128'>(square, f32x4.add(square, f32x4.mul(made, made)));
      return made;
    },
    end: () => {
      f.store(at, dot);
      f.store(at, square, VECTOR_BYTES);
    },
  };
}

interface RowScore {
  /** Gives the value, which has been evaluated. */
  readonly add: (value: V128, offset: number) => V128;
  readonly end: () => void;
}
