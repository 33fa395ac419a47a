/**
 * @file Exponential and activations of four floats, to about single precision.
 *
 * The polynomials interpolate at Chebyshev nodes. Large arguments saturate as the functions do; NaN stays NaN.
 */
import type { Activation } from '../../../ir/index.ts';
import type { FunctionBuilder } from '../asm/function.ts';
import type { ModuleBuilder } from '../asm/module.ts';
import { f32x4, i32x4, v128 } from '../asm/values.ts';
import type { V128 } from '../asm/values.ts';

/** Between these, 2ⁿ is a normal float and eˣ is finite. */
const EXP_LOWEST = -87.3;
const EXP_HIGHEST = 88;
/** ln 2 as a number with few bits and the rest, so that n · ln 2 is exact enough to subtract. */
const LN2_HIGH = 0.693359375;
const LN2_LOW = Math.LN2 - LN2_HIGH;
/** (eʳ - 1 - r) / r² for |r| ≤ ln 2 / 2; relative error of eʳ 1e-8. */
const EXP_TAIL = [0.5, 0.16666576989698378, 0.04166655461717633, 0.008363179052766902, 0.0013926183590536859];
/** erfc(z) · exp(z²) in t = 1 / (1 + 0.47 z) for 0 ≤ z ≤ 9.4; relative error 2e-8. */
const ERFC_SLOPE = 0.47;
const ERFC_TAIL = [
  0.000014106256458035205, 0.2647989094257355, 0.26940804719924927, 0.2080399990081787, 0.2930561900138855,
  -0.21685980260372162, 0.5851889252662659, -0.6583813428878784, 0.3099338710308075, -0.05519893765449524,
];
const FLOAT_EXPONENT_BIAS = 127;
const FLOAT_MANTISSA_BITS = 23;

function polynomial(f: FunctionBuilder, coefficients: readonly number[], x: V128): V128 {
  const [last = 0, ...others] = coefficients.toReversed();
  return others.reduce<V128>(
    (sum, coefficient) => f32x4.add(f32x4.mul(sum, x), f.constant(coefficient)),
    f.constant(last),
  );
}

/** eˣ; exactly 0 below the normal floats. */
export function exp(f: FunctionBuilder, argument: V128): V128 {
  const raw = f.let('v128', argument);
  const x = f.let('v128', f32x4.atMost(f32x4.atLeast(raw, f.constant(EXP_LOWEST)), f.constant(EXP_HIGHEST)));
  const n = f.let('v128', f32x4.nearest(f32x4.mul(x, f.constant(Math.LOG2E))));
  const r = f.let(
    'v128',
    f32x4.sub(f32x4.sub(x, f32x4.mul(n, f.constant(LN2_HIGH))), f32x4.mul(n, f.constant(LN2_LOW))),
  );
  const tail = f32x4.mul(f32x4.mul(r, r), polynomial(f, EXP_TAIL, r));
  const fraction = f32x4.add(f32x4.add(tail, r), f.constant(1));
  const biased = i32x4.add(i32x4.fromFloats(n), i32x4.splat(FLOAT_EXPONENT_BIAS));
  const power = i32x4.shiftLeft(biased, FLOAT_MANTISSA_BITS);
  return v128.without(f32x4.mul(fraction, power), f32x4.lt(raw, f.constant(EXP_LOWEST)));
}

/** 1 / (1 + e⁻ˣ) */
export function sigmoid(f: FunctionBuilder, x: V128): V128 {
  const one = f.constant(1);
  const decay = f.let('v128', exp(f, f32x4.neg(f32x4.abs(x))));
  const numerator = v128.select(decay, one, f32x4.lt(x, f.constant(0)));
  return f32x4.div(numerator, f32x4.add(one, decay));
}

/** x · Φ(x): the smaller of the two tails is computed, so that large |x| lose nothing. */
function gelu(f: FunctionBuilder, x: V128): V128 {
  const z = f.let('v128', f32x4.mul(f32x4.abs(x), f.constant(Math.SQRT1_2)));
  const t = f.let('v128', f32x4.div(f.constant(1), f32x4.add(f.constant(1), f32x4.mul(z, f.constant(ERFC_SLOPE)))));
  const decay = exp(f, f32x4.neg(f32x4.mul(z, z)));
  const halfErfc = f32x4.mul(f32x4.mul(decay, polynomial(f, ERFC_TAIL, t)), f.constant(0.5));
  const tail = f.let('v128', f32x4.mul(x, halfErfc));
  return v128.select(tail, f32x4.sub(x, tail), f32x4.lt(x, f.constant(0)));
}

/** With (1 + tanh u) / 2 = sigmoid(2u). */
function geluTanh(f: FunctionBuilder, x: V128): V128 {
  const scale = 2 * Math.sqrt(2 / Math.PI);
  const cubic = f32x4.mul(f32x4.mul(x, x), f.constant(scale * 0.044715));
  const u = f.let('v128', f32x4.mul(x, f32x4.add(cubic, f.constant(scale))));
  return f32x4.mul(x, sigmoid(f, u));
}

/** sign(x) · (1 - e) / (1 + e) with e = exp(-2|x|) */
function tanh(f: FunctionBuilder, x: V128): V128 {
  const one = f.constant(1);
  const decay = f.let('v128', exp(f, f32x4.mul(f32x4.abs(x), f.constant(-2))));
  const size = f.let('v128', f32x4.div(f32x4.sub(one, decay), f32x4.add(one, decay)));
  return v128.select(f32x4.neg(size), size, f32x4.lt(x, f.constant(0)));
}

const activations: Readonly<Record<Activation, (f: FunctionBuilder, x: V128) => V128>> = {
  relu: (f, x) => f32x4.atLeast(x, f.constant(0)),
  gelu,
  gelu_tanh: geluTanh,
  silu: (f, x) => f32x4.mul(x, sigmoid(f, x)),
  tanh,
};

/**
 * The activation of a vector. All but relu are called: a call costs little beside them, and their constants would take
 * the registers of the caller's loop.
 */
export function activate(module: ModuleBuilder, f: FunctionBuilder, activation: Activation, x: V128): V128 {
  if (activation === 'relu') return activations.relu(f, x);
  const name = `f32x4_${activation}`;
  module.define(name, { params: ['v128'], result: 'v128' }, (inner, [argument]) => {
    inner.return(activations[activation](inner, argument));
  });
  return f.result('v128', name, [x]);
}
