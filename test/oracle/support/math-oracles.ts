/** @file Elementwise ops, norms and the linear map, in TensorFlow.js. */
import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '../../../ir/interpreter/index.ts';
import { numberAttr, stringAttr } from '../../../ir/ops/attrs.ts';
import { activations as names } from '../../../ir/ops/math.ts';
import type { Activation } from '../../../ir/ops/math.ts';
import type { Draw } from '../../support/draw.ts';
import { activations, dense, layerNorm, onGrid, rmsNorm } from './formulas.ts';
import { floats } from './inputs.ts';
import { on1, on2, operand } from './oracle.ts';
import type { OpCase, OpOracle, OracleCall } from './oracle.ts';

export const mathOracles = {
  relu: unary('relu', 0),
  gelu: unary('gelu', 16),
  gelu_tanh: unary('gelu_tanh', 16),
  silu: unary('silu', 8),
  tanh: unary('tanh', 8),
  add: { ulps: 0, cases: pairs, reference: on2((a, b) => tf.add(a, b)) },
  mul: { ulps: 0, cases: pairs, reference: on2((a, b) => tf.mul(a, b)) },
  scale: {
    ulps: 2,
    cases: (draw) => matrices(draw).map((x) => ({ operands: [x], attrs: { by: draw.float(-3, 3) } })),
    reference: on1((x, { attrs }) => tf.mul(x, numberAttr(attrs, 'by'))),
  },
  layer_norm: {
    ulps: 64,
    cases: (draw) =>
      normInputs(draw).map((x) => ({ operands: [x, gain(draw, x), shift(draw, x)], attrs: { eps: epsilon(draw) } })),
    reference: on2((x, g, call) => layerNorm(x, g, operand(call, 2), numberAttr(call.attrs, 'eps'))),
  },
  rms_norm: {
    ulps: 32,
    cases: (draw) => normInputs(draw).map((x) => ({ operands: [x, gain(draw, x)], attrs: { eps: epsilon(draw) } })),
    reference: on2((x, g, { attrs }) => rmsNorm(x, g, numberAttr(attrs, 'eps'))),
  },
  linear: { ulps: 128, cases: linears, reference: linear },
} satisfies Record<string, OpOracle>;

/** From where an activation bends to where it is flat. */
function unary(name: Activation, ulps: number): OpOracle {
  return {
    ulps,
    cases: (draw) => [
      ...matrices(draw).map((x) => ({ operands: [x] })),
      { operands: [floats(draw, [draw.int(1, 40)], 0, 5)] },
      { operands: [{ shape: [1, 9], data: Float32Array.of(-60, -9, -1, -1e-20, 0, 1e-20, 1, 9, 60) }] },
    ],
    reference: on1(activations[name]),
  };
}

function matrices(draw: Draw): readonly Tensor[] {
  return [floats(draw, [draw.int(1, 7), draw.int(1, 20)]), floats(draw, [1, 1])];
}

/** Of one shape, and a matrix with one row for all of its rows. */
function pairs(draw: Draw): readonly OpCase[] {
  const columns = draw.int(1, 20);
  const shape = [draw.int(1, 7), columns];
  return [
    { operands: [floats(draw, shape), floats(draw, shape)] },
    { operands: [floats(draw, shape), floats(draw, [columns])] },
    { operands: [floats(draw, [columns]), floats(draw, [columns])] },
  ];
}

/** Not narrow: two numbers that happen to be close would lose all of their digits in the variance. */
function normInputs(draw: Draw): readonly Tensor[] {
  const [mean, std] = [draw.float(-1, 1), draw.float(0.3, 3)];
  return [floats(draw, [draw.int(1, 7), draw.int(8, 40)], mean, std), floats(draw, [draw.int(1, 4), 1], 2)];
}

function gain(draw: Draw, x: Tensor): Tensor {
  return floats(draw, [x.shape[1] ?? 0], 1, 0.5);
}

function shift(draw: Draw, x: Tensor): Tensor {
  return floats(draw, [x.shape[1] ?? 0]);
}

function epsilon(draw: Draw): number {
  return draw.pick([1e-12, 1e-6, 1e-5, 0.1]);
}

/**
 * Every norm with every activation, with each of bias, mul and residual there and not there. With int8 weights no norm: one
 * that is off in its last bit may round to the number beside.
 */
function linears(draw: Draw): readonly OpCase[] {
  return [undefined, 'layer', 'rms', 'int8'].flatMap((kind) =>
    [undefined, ...names].flatMap((act) =>
      Array.from({ length: 8 }, (_, set): OpCase => {
        const norm = kind === 'int8' ? undefined : kind;
        const [rows, inner, out] = [draw.int(1, 5), draw.int(8, 24), draw.int(1, 20)];
        const x = floats(draw, [rows, inner]);
        const extras = {
          ...(norm !== undefined && { gain: gain(draw, x) }),
          ...(norm === 'layer' && { shift: shift(draw, x) }),
          ...((set & 1) !== 0 && { bias: floats(draw, [out]) }),
          ...((set & 2) !== 0 && { mul: floats(draw, [rows, out]) }),
          ...((set & 4) !== 0 && { residual: floats(draw, [rows, out]) }),
        };
        const attrs = {
          ...(norm !== undefined && { norm, eps: epsilon(draw) }),
          ...(act !== undefined && { act }),
          ...(kind === 'int8' && { weights: 'int8' }),
        };
        return { operands: [x, floats(draw, [out, inner], 0, 1 / Math.sqrt(inner))], extras, attrs };
      }),
    ),
  );
}

function linear(call: OracleCall): tf.Tensor {
  const { attrs, extras } = call;
  const [x, weight] = [normed(call), operand(call, 1)];
  const product =
    attrs['weights'] === 'int8'
      ? dense(onGrid(x, 32_767), onGrid(weight, 127), extras['bias'])
      : dense(x, weight, extras['bias']);
  const active = attrs['act'] === undefined ? product : activations[stringAttr(attrs, 'act') as Activation](product);
  const gated = extras['mul'] === undefined ? active : tf.mul(extras['mul'], active);
  return extras['residual'] === undefined ? gated : tf.add(extras['residual'], gated);
}

function normed(call: OracleCall): tf.Tensor {
  const { attrs, extras } = call;
  const x = operand(call, 0);
  const { gain: g, shift: s } = extras;
  if (attrs['norm'] === undefined || g === undefined) return x;
  const eps = numberAttr(attrs, 'eps');
  return s === undefined ? rmsNorm(x, g, eps) : layerNorm(x, g, s, eps);
}
