/**
 * @file The products of a tile, which the linear kernel is about: rows times panels, in f32 or in int8.
 *
 * One short loop over k each, not unrolled: V8 11 spills in longer ones.
 */
import { PANEL } from '../../../ir/index.ts';
import type { FunctionBuilder, Local } from '../asm/function.ts';
import { FLOAT_BYTES, VECTOR_BYTES, f32x4, i16x8, i32, i32x4 } from '../asm/values.ts';
import type { I32, V128 } from '../asm/values.ts';
import type { LinearPlan, Tile } from '../plan/linear.ts';
import { ROUNDED_HEADER } from '../plan/scratch.ts';

/** f32x4 vectors across a panel. */
export const PANEL_VECTORS = (PANEL * FLOAT_BYTES) / VECTOR_BYTES;
/** Bytes of the scales at the start of an int8 panel. */
const SCALES_BYTES = PANEL * FLOAT_BYTES;
/** Two i16 of a row, and the two i8 of each of four columns that they meet. */
const [PAIR_BYTES, QUAD_BYTES] = [4, 8];

export interface Factors {
  /** Address of the first panel. */
  readonly weight: I32;
  /** Addresses of the rows. */
  readonly inputs: readonly Local<'i32'>[];
}

/** [row][vector of 4 columns]. */
type Products = readonly (readonly V128[])[];

export function floatProducts(f: FunctionBuilder, plan: LinearPlan, tile: Tile, factors: Factors): Products {
  const { inputs } = factors;
  const [first] = inputs;
  if (first === undefined) return [];
  const weight = f.let('i32', factors.weight);
  const end = f.let('i32', i32.add(first, plan.inner * FLOAT_BYTES));
  const element = (v: number): V128 => f32x4.load(weight, placeOf(plan, tile, v) + (v % PANEL_VECTORS) * VECTOR_BYTES);
  const { sums, add } = accumulators(f, tile, element, (sum, factor, value) =>
    f32x4.add(sum, f32x4.mul(factor, value)),
  );
  f.repeat(i32.ne(first, end), () => {
    add(inputs.map((input) => f32x4.loadSplat(input)));
    for (const input of inputs) f.increase(input, FLOAT_BYTES);
    f.increase(weight, PANEL * FLOAT_BYTES);
  });
  return sums;
}

/** Rows are rounded ones, see `rounded.ts`. Sums are exact, so that their order does not matter. */
export function int8Products(f: FunctionBuilder, plan: LinearPlan, tile: Tile, factors: Factors): Products {
  const { inputs } = factors;
  const [first] = inputs;
  if (first === undefined) return [];
  const scales = inputs.map((input) => f.let('v128', f32x4.loadSplat(input)));
  for (const input of inputs) f.increase(input, ROUNDED_HEADER);
  const weight = f.let('i32', i32.add(factors.weight, SCALES_BYTES));
  const end = f.let('i32', i32.add(first, Math.ceil(plan.inner / 2) * PAIR_BYTES));
  const element = (v: number): V128 =>
    i16x8.loadBytes(weight, placeOf(plan, tile, v) + (v % PANEL_VECTORS) * QUAD_BYTES);
  const { sums, add } = accumulators(f, tile, element, (sum, factor, value) =>
    i32x4.add(sum, i32x4.dot(factor, value)),
  );
  f.repeat(i32.ne(first, end), () => {
    add(inputs.map((input) => f32x4.loadSplat(input)));
    for (const input of inputs) f.increase(input, PAIR_BYTES);
    f.increase(weight, PANEL_VECTORS * QUAD_BYTES);
  });
  return sums.map((row, r) =>
    row.map((sum, v) => {
      const scale = f32x4.load(factors.weight, placeOf(plan, tile, v) + (v % PANEL_VECTORS) * VECTOR_BYTES);
      return f32x4.mul(f32x4.fromInts(sum), f32x4.mul(scales[r] ?? scale, scale));
    }),
  );
}

/** The panel that vector v of a row of the tile belongs to, counted from the first. */
export function panelOf({ apart }: Tile, v: number): number {
  return Math.floor(v / PANEL_VECTORS) * apart;
}

/** Offset of that panel. */
function placeOf({ panelBytes }: LinearPlan, tile: Tile, v: number): number {
  return panelOf(tile, v) * panelBytes;
}

interface Accumulators {
  readonly sums: readonly (readonly Local<'v128'>[])[];
  /** Adds to all sums, given a factor for each row. */
  readonly add: (factors: readonly V128[]) => void;
}

/** Zeros that elements of the weight, times a factor of their row, are added to. Several rows share an element that is read once. */
function accumulators(
  f: FunctionBuilder,
  tile: Tile,
  element: (v: number) => V128,
  sumWith: (sum: V128, factor: V128, element: V128) => V128,
): Accumulators {
  const vectors = Array.from({ length: tile.panels * PANEL_VECTORS }, (_, v) => v);
  const sums = Array.from({ length: tile.rows }, () => vectors.map(() => f.let('v128', f32x4.splat(0))));
  const factor = f.local('v128');
  const shared = tile.rows > 1 ? vectors.map(() => f.local('v128')) : [];
  return {
    sums,
    add: (factors) => {
      shared.forEach((local, v) => f.set<'v128'>(local, element(v)));
      factors.forEach((value, r) => {
        f.set<'v128'>(factor, value);
        sums[r]?.forEach((sum, v) => f.set<'v128'>(sum, sumWith(sum, factor, shared[v] ?? element(v))));
      });
    },
  };
}
