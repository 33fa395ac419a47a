/**
 * @file How a linear kernel is computed. Pure.
 *
 * Every output element has one accumulator that starts at 0 and takes the products in the order of k, whatever the
 * tile: so the result does not depend on how many rows are computed together.
 */
import { PANEL } from '../../../ir/index.ts';
import type { Activation } from '../../../ir/index.ts';
import type { I32 } from '../asm/values.ts';
import { FLOAT_BYTES, shapeName } from './layout.ts';
import type { ViewShape } from './layout.ts';

/** Rows of a GEMM tile: with 8 columns, the accumulators of 4 rows are as many as stay in registers. */
export const GEMM_ROWS = 4;
/** Panels that a GEMV reads side by side: several address streams keep the memory busy. */
export const GEMV_PANELS = 4;

export interface LinearShape {
  /** The row that is multiplied: normalised already. */
  readonly x: ViewShape;
  readonly out: ViewShape;
  readonly mul: ViewShape | undefined;
  readonly residual: ViewShape | undefined;
  readonly bias: boolean;
  /** What scales the branch that is added to a residual: one buffer in all the program, so that its address is code. */
  readonly probability?: { readonly shape: ViewShape; readonly address: I32 } | undefined;
  /** Where a scorer's products of the row go. */
  readonly partial?: ViewShape | undefined;
  readonly act: Activation | undefined;
  /** First output column of the weight. */
  readonly first: number;
}

/** Rows × panels computed at once. */
export interface Tile {
  readonly rows: number;
  readonly panels: number;
}

export interface LinearPlan {
  readonly inner: number;
  readonly panels: number;
  /** Bytes from the start of the weight to the first panel that is used. */
  readonly weightOffset: number;
  readonly biasOffset: number;
  readonly panelBytes: number;
  /** Name of the function that computes one panel for any number of rows. */
  readonly gemm: string;
  readonly gemv: string;
}

export function planLinear(shape: LinearShape): LinearPlan {
  const inner = shape.x.columns;
  const panelBytes = inner * PANEL * FLOAT_BYTES;
  const { x, out, mul, residual, probability, partial } = shape;
  const epilogue = [
    ...(shape.bias ? ['bias'] : []),
    ...(shape.act === undefined ? [] : [shape.act]),
    ...(mul === undefined ? [] : [`mul${strideName(mul)}`]),
    ...(residual === undefined ? [] : [`residual${strideName(residual)}`]),
    ...(probability === undefined ? [] : [`weighted${strideName(probability.shape)}`]),
    ...(partial === undefined ? [] : [`scored${strideName(partial)}`]),
  ];
  const suffix = [`x${shapeName(x)}`, ...epilogue, `out${strideName(out)}`].join('_');
  return {
    inner,
    panels: Math.ceil(out.columns / PANEL),
    weightOffset: (shape.first / PANEL) * panelBytes,
    biasOffset: shape.first * FLOAT_BYTES,
    panelBytes,
    gemm: `f32_gemm_${GEMM_ROWS}x${PANEL}_${suffix}`,
    gemv: `f32_gemv_1x${GEMV_PANELS * PANEL}_${suffix}`,
  };
}

/** A view whose columns do not matter to the code. */
function strideName({ stride, routed }: ViewShape): string {
  return `${stride / FLOAT_BYTES}${routed ? 'r' : ''}`;
}
