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

export function floatProducts(f: FunctionBuilder, plan: LinearPlan, tile: Tile, { weight, inputs }: Factors): Products {
  return sumProducts(f, plan, tile, {
    inputs,
    weight,
    steps: plan.inner,
    inputBytes: FLOAT_BYTES,
    vectorBytes: VECTOR_BYTES,
    load: f32x4.load,
    sumWith: (sum, factor, element) => f32x4.add(sum, f32x4.mul(factor, element)),
  });
}

/** Rows are rounded ones, see `rounded.ts`. Sums are exact, so that their order does not matter. */
export function int8Products(f: FunctionBuilder, plan: LinearPlan, tile: Tile, { weight, inputs }: Factors): Products {
  const scales = inputs.map((input) => f.let('v128', f32x4.loadSplat(input)));
  for (const input of inputs) f.increase(input, ROUNDED_HEADER);
  const sums = sumProducts(f, plan, tile, {
    inputs,
    weight: i32.add(weight, SCALES_BYTES),
    steps: Math.ceil(plan.inner / 2),
    inputBytes: PAIR_BYTES,
    vectorBytes: QUAD_BYTES,
    load: i16x8.loadBytes,
    sumWith: (sum, factor, element) => i32x4.add(sum, i32x4.dot(factor, element)),
  });
  return sums.map((row, r) =>
    row.map((sum, v) => {
      const scale = f32x4.load(weight, placeOf(plan, tile, v, VECTOR_BYTES));
      return f32x4.mul(f32x4.fromInts(sum), f32x4.mul(scales[r] ?? scale, scale));
    }),
  );
}

/** The panel that vector v of a row of the tile belongs to, counted from the first. */
export function panelOf({ apart }: Tile, v: number): number {
  return Math.floor(v / PANEL_VECTORS) * apart;
}

/** Offset of vector v from the first panel's first, where a panel's vectors have so many bytes each. */
function placeOf({ panelBytes }: LinearPlan, tile: Tile, v: number, vectorBytes: number): number {
  return panelOf(tile, v) * panelBytes + (v % PANEL_VECTORS) * vectorBytes;
}

interface Multiplication extends Factors {
  /** Turns of the loop over k. */
  readonly steps: number;
  /** What a turn takes of a row, and of the weight for each vector of columns. */
  readonly inputBytes: number;
  readonly vectorBytes: number;
  readonly load: (address: I32, offset: number) => V128;
  readonly sumWith: (sum: V128, factor: V128, element: V128) => V128;
}

/** The loop over k. Several rows share an element of the weight, which is read once. Leaves inputs at their ends. */
function sumProducts(
  f: FunctionBuilder,
  plan: LinearPlan,
  tile: Tile,
  { inputs, weight: from, steps, inputBytes, vectorBytes, load, sumWith }: Multiplication,
): readonly (readonly Local<'v128'>[])[] {
  const [first] = inputs;
  if (first === undefined) return [];
  const weight = f.let('i32', from);
  const end = f.let('i32', i32.add(first, steps * inputBytes));
  const vectors = Array.from({ length: tile.panels * PANEL_VECTORS }, (_, v) => v);
  const sums = inputs.map(() => vectors.map(() => f.let('v128', f32x4.splat(0))));
  const factor = f.local('v128');
  const shared = inputs.length > 1 ? vectors.map(() => f.local('v128')) : [];
  const element = (v: number): V128 => load(weight, placeOf(plan, tile, v, vectorBytes));
  f.repeat(i32.ne(first, end), () => {
    shared.forEach((local, v) => f.set<'v128'>(local, element(v)));
    inputs.forEach((input, r) => {
      f.set<'v128'>(factor, f32x4.loadSplat(input));
      sums[r]?.forEach((sum, v) => f.set<'v128'>(sum, sumWith(sum, factor, shared[v] ?? element(v))));
    });
    for (const input of inputs) f.increase(input, inputBytes);
    f.increase(weight, PANEL_VECTORS * vectorBytes);
  });
  return sums;
}
