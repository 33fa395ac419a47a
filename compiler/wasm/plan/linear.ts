/**
 * @file How a linear kernel is computed. Pure.
 *
 * Every output element has one accumulator that starts at 0 and takes the products in the order of k, whatever the
 * tile: so the result does not depend on how many rows are computed together. With int8 weights the sums are exact.
 */
import { PANEL, panelBytes } from '../../../ir/index.ts';
import type { Activation } from '../../../ir/index.ts';
import type { I32 } from '../asm/values.ts';
import { FLOAT_BYTES, shapeName } from './layout.ts';
import type { ViewShape } from './layout.ts';

/** Rows of a GEMM tile: with 8 columns, the accumulators of 4 rows are as many as stay in registers. */
export const GEMM_ROWS = 4;
/** Panels that a GEMV reads side by side: several address streams keep the memory busy. */
const GEMV_PANELS = 4;
/**
 * The same for int8, where each stream goes through its own third of the weight from end to end: with a quarter of the bytes
 * for a product, the memory is asked less often, and prefetching helps only who does not jump.
 */
const INT8_GEMV_PANELS = 3;

export interface LinearShape {
  /** The row that is multiplied: normalised, and for int8 rounded already. */
  readonly x: ViewShape;
  readonly weights: 'panels' | 'int8';
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

/** Rows × panels computed at once; from one panel to the next it is `apart` panels. */
export interface Tile {
  readonly rows: number;
  readonly panels: number;
  readonly apart: number;
}

/** A GEMV: its tile, put at panels 0, step, … below `end`. */
export interface Gemv {
  readonly name: string;
  readonly tile: Tile;
  readonly step: number;
  readonly end: number;
  /** Panels that are covered; those behind are left to the GEMM. */
  readonly covered: number;
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
  readonly gemv: Gemv;
}

export function planLinear(shape: LinearShape): LinearPlan {
  const inner = shape.x.columns;
  const bytes = panelBytes(shape.weights, inner);
  const number = shape.weights === 'int8' ? 'i8' : 'f32';
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
  const panels = Math.ceil(out.columns / PANEL);
  return {
    inner,
    panels,
    weightOffset: (shape.first / PANEL) * bytes,
    biasOffset: shape.first * FLOAT_BYTES,
    panelBytes: bytes,
    gemm: `${number}_gemm_${GEMM_ROWS}x${PANEL}_${suffix}`,
    gemv: planGemv(shape, panels, (tile) => `${number}_gemv_${tile}_${suffix}`),
  };
}

function planGemv({ weights, partial }: LinearShape, panels: number, name: (tile: string) => string): Gemv {
  // A scorer's products are added in the order of the columns.
  if (weights === 'panels' || partial !== undefined) {
    const covered = Math.floor(panels / GEMV_PANELS) * GEMV_PANELS;
    const tile = { rows: 1, panels: GEMV_PANELS, apart: 1 };
    return { name: name(`1x${GEMV_PANELS * PANEL}`), tile, step: GEMV_PANELS, end: covered, covered };
  }
  const apart = Math.floor(panels / INT8_GEMV_PANELS);
  const tile = { rows: 1, panels: INT8_GEMV_PANELS, apart };
  const covered = INT8_GEMV_PANELS * apart;
  return { name: name(`1x${INT8_GEMV_PANELS}x${PANEL}_apart${apart}`), tile, step: 1, end: apart, covered };
}

/** A view whose columns do not matter to the code. */
function strideName({ stride, routed }: ViewShape): string {
  return `${stride / FLOAT_BYTES}${routed ? 'r' : ''}`;
}
