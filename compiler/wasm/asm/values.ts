/**
 * @file Typed WebAssembly expressions, as values that can be used any number of times.
 *
 * An expression is a recipe: binaryen's nodes are made when a function takes it in, anew for each use. A number stands
 * for a constant of the type that is asked for. Addresses are unsigned.
 */
import type binaryen from 'binaryen';

export type Module = binaryen.Module;
export type Ref = binaryen.ExpressionRef;
export type ValueType = 'i32' | 'f32' | 'v128';

export interface Expr<T extends ValueType> {
  readonly type: T;
  readonly make: (m: Module) => Ref;
}

export type I32 = Expr<'i32'> | number;
export type F32 = Expr<'f32'> | number;
export type V128 = Expr<'v128'>;
/** An expression of this type, or a constant where there are constants of it. */
export type Value<T extends ValueType> = T extends 'i32' ? I32 : T extends 'f32' ? F32 : V128;

/** Loads and stores promise only the alignment of a float. */
export const FLOAT_BYTES = 4;
export const VECTOR_BYTES = 16;

export function expr<T extends ValueType>(type: T, make: (m: Module) => Ref): Expr<T> {
  return { type, make };
}

export function i32Ref(m: Module, value: I32): Ref {
  return typeof value === 'number' ? m.i32.const(value | 0) : value.make(m);
}

function f32Ref(m: Module, value: F32): Ref {
  return typeof value === 'number' ? m.f32.const(value) : value.make(m);
}

/** The node of an expression or constant of the given type. */
export function valueRef(m: Module, type: ValueType, value: I32 | F32 | V128): Ref {
  if (typeof value !== 'number') return value.make(m);
  return type === 'i32' ? i32Ref(m, value) : f32Ref(m, value);
}

type Make1 = (m: Module, a: Ref) => Ref;
type Make2 = (m: Module, a: Ref, b: Ref) => Ref;

function int2(make: Make2): (a: I32, b: I32) => Expr<'i32'> {
  return (a, b) => expr('i32', (m) => make(m, i32Ref(m, a), i32Ref(m, b)));
}

function float1(make: Make1): (a: F32) => Expr<'f32'> {
  return (a) => expr('f32', (m) => make(m, f32Ref(m, a)));
}

function float2(make: Make2): (a: F32, b: F32) => Expr<'f32'> {
  return (a, b) => expr('f32', (m) => make(m, f32Ref(m, a), f32Ref(m, b)));
}

function vector1(make: Make1): (a: V128) => V128 {
  return (a) => expr('v128', (m) => make(m, a.make(m)));
}

function vector2(make: Make2): (a: V128, b: V128) => V128 {
  return (a, b) => expr('v128', (m) => make(m, a.make(m), b.make(m)));
}

const plus = int2((m, a, b) => m.i32.add(a, b));
const times = int2((m, a, b) => m.i32.mul(a, b));

export const i32 = {
  add(a: I32, b: I32): I32 {
    if (typeof a === 'number' && typeof b === 'number') return a + b;
    if (a === 0) return b;
    return b === 0 ? a : plus(a, b);
  },
  mul(a: I32, b: I32): I32 {
    if (typeof a === 'number' && typeof b === 'number') return a * b;
    if (a === 1) return b;
    return b === 1 ? a : times(a, b);
  },
  sub: int2((m, a, b) => m.i32.sub(a, b)),
  and: int2((m, a, b) => m.i32.and(a, b)),
  or: int2((m, a, b) => m.i32.or(a, b)),
  /** Unsigned quotient and remainder; the divisor is a positive constant. */
  div: int2((m, a, b) => m.i32.div_u(a, b)),
  rem: int2((m, a, b) => m.i32.rem_u(a, b)),
  eq: int2((m, a, b) => m.i32.eq(a, b)),
  ne: int2((m, a, b) => m.i32.ne(a, b)),
  lt: int2((m, a, b) => m.i32.lt_s(a, b)),
  gt: int2((m, a, b) => m.i32.gt_s(a, b)),
  ge: int2((m, a, b) => m.i32.ge_s(a, b)),
  /** Compares addresses. */
  below: int2((m, a, b) => m.i32.lt_u(a, b)),
  min: (a: I32, b: I32): Expr<'i32'> =>
    expr('i32', (m) => m.select(m.i32.lt_s(i32Ref(m, a), i32Ref(m, b)), i32Ref(m, a), i32Ref(m, b))),
  load: (address: I32, offset = 0): Expr<'i32'> =>
    expr('i32', (m) => m.i32.load(offset, FLOAT_BYTES, i32Ref(m, address))),
  /** An i8, extended. */
  loadByte: (address: I32): Expr<'i32'> => expr('i32', (m) => m.i32.load8_s(0, 1, i32Ref(m, address))),
};

export const f32 = {
  add: float2((m, a, b) => m.f32.add(a, b)),
  mul: float2((m, a, b) => m.f32.mul(a, b)),
  div: float2((m, a, b) => m.f32.div(a, b)),
  fromInt: (value: I32): Expr<'f32'> => expr('f32', (m) => m.f32.convert_s.i32(i32Ref(m, value))),
  sqrt: float1((m, a) => m.f32.sqrt(a)),
  max: float2((m, a, b) => m.f32.max(a, b)),
  gt: (a: F32, b: F32): Expr<'i32'> => expr('i32', (m) => m.f32.gt(f32Ref(m, a), f32Ref(m, b))),
  lane: (vector: V128, lane: number): Expr<'f32'> => expr('f32', (m) => m.f32x4.extract_lane(vector.make(m), lane)),
  load: (address: I32, offset = 0): Expr<'f32'> =>
    expr('f32', (m) => m.f32.load(offset, FLOAT_BYTES, i32Ref(m, address))),
};

/** Four floats. */
export const f32x4 = {
  add: vector2((m, a, b) => m.f32x4.add(a, b)),
  sub: vector2((m, a, b) => m.f32x4.sub(a, b)),
  mul: vector2((m, a, b) => m.f32x4.mul(a, b)),
  div: vector2((m, a, b) => m.f32x4.div(a, b)),
  /** a where it is not less than b, else b: keeps a NaN in a. */
  atLeast: vector2((m, a, b) => m.f32x4.pmax(a, b)),
  /** a where b is not less than it, else b: keeps a NaN in a. */
  atMost: vector2((m, a, b) => m.f32x4.pmin(a, b)),
  /** NaN where one of them is. */
  max: vector2((m, a, b) => m.f32x4.max(a, b)),
  abs: vector1((m, a) => m.f32x4.abs(a)),
  neg: vector1((m, a) => m.f32x4.neg(a)),
  nearest: vector1((m, a) => m.f32x4.nearest(a)),
  fromInts: vector1((m, a) => m.f32x4.convert_i32x4_s(a)),
  /** All ones in the lanes where it holds. */
  lt: vector2((m, a, b) => m.f32x4.lt(a, b)),
  splat: (value: F32): V128 => expr('v128', (m) => m.f32x4.splat(f32Ref(m, value))),
  load: (address: I32, offset = 0): V128 => expr('v128', (m) => m.v128.load(offset, FLOAT_BYTES, i32Ref(m, address))),
  /** Lanes 0 … 3 are those of a, 4 … 7 those of b. */
  shuffle: (a: V128, b: V128, lanes: readonly [number, number, number, number]): V128 =>
    expr('v128', (m) =>
      m.i8x16.shuffle(
        a.make(m),
        b.make(m),
        lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => FLOAT_BYTES * lane + byte)),
      ),
    ),
  loadSplat: (address: I32, offset = 0): V128 =>
    expr('v128', (m) => m.v128.load32_splat(offset, FLOAT_BYTES, i32Ref(m, address))),
  /** One float in lane 0, zeros in the others. */
  loadFirst: (address: I32, offset = 0): V128 =>
    expr('v128', (m) => m.v128.load32_zero(offset, FLOAT_BYTES, i32Ref(m, address))),
};

export const i32x4 = {
  add: vector2((m, a, b) => m.i32x4.add(a, b)),
  lt: vector2((m, a, b) => m.i32x4.lt_s(a, b)),
  shiftLeft: (a: V128, bits: number): V128 => expr('v128', (m) => m.i32x4.shl(a.make(m), m.i32.const(bits))),
  fromFloats: vector1((m, a) => m.i32x4.trunc_sat_f32x4_s(a)),
  /** Lane i: a[2 i] · b[2 i] + a[2 i + 1] · b[2 i + 1] of eight i16. */
  dot: vector2((m, a, b) => m.i32x4.dot_i16x8_s(a, b)),
  splat: (value: I32): V128 => expr('v128', (m) => m.i32x4.splat(i32Ref(m, value))),
  constant: (lanes: readonly [number, number, number, number]): V128 =>
    expr('v128', (m) => m.v128.const(new Uint8Array(Int32Array.from(lanes).buffer))),
};

/** Eight whole numbers of 16 bits. */
export const i16x8 = {
  /** Eight i8, extended. */
  loadBytes: (address: I32, offset = 0): V128 => expr('v128', (m) => m.v128.load8x8_s(offset, 1, i32Ref(m, address))),
  /** Those of a, then those of b; what 16 bits do not hold becomes the nearest that they do. */
  fromInts: vector2((m, a, b) => m.i16x8.narrow_i32x4_s(a, b)),
};

export const v128 = {
  and: vector2((m, a, b) => m.v128.and(a, b)),
  /** a without the bits of b. */
  without: vector2((m, a, b) => m.v128.andnot(a, b)),
  /** a where the mask has ones, b elsewhere. */
  select: (a: V128, b: V128, mask: V128): V128 =>
    expr('v128', (m) => m.v128.bitselect(a.make(m), b.make(m), mask.make(m))),
};

/** Unsafe to use twice when the function has effects. */
export function call<T extends ValueType>(
  name: string,
  args: readonly (Expr<ValueType> | number)[],
  result: T,
  resultType: binaryen.Type,
): Expr<T> {
  return expr(result, (m) =>
    m.call(
      name,
      args.map((arg) => valueRef(m, 'i32', arg)),
      resultType,
    ),
  );
}
