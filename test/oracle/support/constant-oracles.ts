/** @file The ops that make constants, in TensorFlow.js. */
import * as tf from '@tensorflow/tfjs-core';
import { numberAttr, numbersAttr, stringAttr } from '../../../ir/ops/attrs.ts';
import { f32 } from '../../../ir/ops/spec.ts';
import type { Draw } from '../../support/draw.ts';
import { angles } from './formulas.ts';
import { floats } from './inputs.ts';
import { on1, operand } from './oracle.ts';
import type { OpCase, OpOracle } from './oracle.ts';

/** What the checkpoint of the cases holds: the numbers 0, 1, … */
export const counting = {
  shape: (): undefined => undefined,
  names: () => [],
  read: (_name: string, from: number, to: number) => Float32Array.from({ length: to - from }, (_, i) => from + i),
};

export const constantOracles = {
  tensor: {
    ulps: 0,
    cases: (draw) => shapes(draw).map((shape) => ({ operands: [], attrs: { name: 'any' }, declared: f32(...shape) })),
    reference: ({ shape }) => tf.reshape(tf.range(0, size(shape)), [...shape]),
  },
  random: {
    // The logarithm of numbers near 1, in f32.
    ulps: 1000,
    cases: (draw) =>
      shapes(draw).map((shape) => ({
        operands: [],
        attrs: { seed: draw.int(0, 2 ** 32 - 1), mean: draw.float(-2, 2), std: draw.float(0, 3) },
        declared: f32(...shape),
      })),
    reference: ({ attrs, shape }) => {
      const bits = splitMix(numberAttr(attrs, 'seed'), size(shape) + 1);
      const logs = bits.map((n) => Math.log((n + 1) / (2 ** 32 + 1)));
      const evens = tf
        .range(0, size(shape))
        .dataSync()
        .map((i) => logs[i - (i % 2)] ?? NaN);
      const phases = tf
        .range(0, size(shape))
        .dataSync()
        .map((i) => (bits[i - (i % 2) + 1] ?? NaN) / 2 ** 32 - (i % 2) / 4);
      const unit = tf.mul(tf.sqrt(tf.mul(-2, tf.tensor1d(evens))), tf.cos(tf.mul(2 * Math.PI, tf.tensor1d(phases))));
      return tf.reshape(tf.add(tf.mul(unit, numberAttr(attrs, 'std')), numberAttr(attrs, 'mean')), [...shape]);
    },
  },
  full: {
    ulps: 0,
    cases: (draw) =>
      shapes(draw).map((shape) => ({ operands: [], attrs: { value: draw.float(-9, 9) }, declared: f32(...shape) })),
    reference: ({ attrs, shape }) => tf.fill([...shape], numberAttr(attrs, 'value')),
  },
  values: {
    ulps: 0,
    cases: (draw) =>
      shapes(draw).map((shape) => ({
        operands: [],
        attrs: { data: Array.from({ length: size(shape) }, () => draw.float(-9, 9)) },
        declared: f32(...shape),
      })),
    reference: ({ attrs, shape }) => tf.tensor([...numbersAttr(attrs, 'data')], [...shape]),
  },
  rope_table: {
    // Angles of up to 60 radians.
    ulps: 100,
    cases: (draw) =>
      ['cos', 'sin'].map((name) => ({
        operands: [floats(draw, [draw.int(1, 8)], 0.5, 0.1)],
        attrs: { length: draw.int(1, 60), function: name },
      })),
    reference: on1((frequencies, { attrs }) => {
      const table = angles(numberAttr(attrs, 'length'), frequencies);
      return stringAttr(attrs, 'function') === 'cos' ? tf.cos(table) : tf.sin(table);
    }),
  },
  concat: {
    ulps: 0,
    cases: (draw) => {
      const [rows, columns] = [draw.int(1, 6), draw.int(1, 6)];
      const many = (shape: () => readonly number[]): OpCase['operands'] =>
        Array.from({ length: draw.int(1, 4) }, () => floats(draw, shape()));
      return [
        { operands: many(() => [draw.int(1, 9)]), attrs: { axis: 0 } },
        { operands: many(() => [draw.int(1, 5), columns]), attrs: { axis: 0 } },
        { operands: many(() => [rows, draw.int(1, 5)]), attrs: { axis: 1 } },
      ];
    },
    reference: ({ operands, attrs }) => tf.concat([...operands], numberAttr(attrs, 'axis')),
  },
  slice: {
    ulps: 0,
    cases: (draw) =>
      shapes(draw).flatMap((shape) =>
        shape.map((length, axis) => {
          const from = draw.int(0, length - 1);
          return { operands: [floats(draw, shape)], attrs: { axis, from, to: draw.int(from + 1, length) } };
        }),
      ),
    reference: on1((x, { attrs, shape }) => {
      const begin = shape.map((_, axis) => (axis === numberAttr(attrs, 'axis') ? numberAttr(attrs, 'from') : 0));
      return tf.slice(x, begin, [...shape]);
    }),
  },
  transpose: {
    ulps: 0,
    cases: (draw) => [{ operands: [floats(draw, [draw.int(1, 9), draw.int(1, 9)])] }],
    reference: on1((x) => tf.transpose(x)),
  },
  reshape: {
    ulps: 0,
    cases: (draw) => {
      const [a, b, c] = [draw.int(1, 5), draw.int(1, 5), draw.int(1, 5)];
      return [[a * b * c], [a * b, c], [c, a, b], [1, b, c, a]].map((shape) => ({
        operands: [floats(draw, [a, b, c])],
        attrs: { shape },
      }));
    },
    reference: (call) => tf.reshape(operand(call, 0), [...numbersAttr(call.attrs, 'shape')]),
  },
} satisfies Record<string, OpOracle>;

/** One shape of rank 1, one of rank 2. */
function shapes(draw: Draw): readonly (readonly number[])[] {
  return [[draw.int(1, 40)], [draw.int(1, 7), draw.int(1, 7)]];
}

function size(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** SplitMix32 in whole numbers of any length, cut to 32 bits. */
function splitMix(seed: number, count: number): readonly number[] {
  const word = (value: bigint): bigint => BigInt.asUintN(32, value);
  return Array.from({ length: count }, (_, i) => {
    let z = word(BigInt(seed) + BigInt(i + 1) * 0x9e3779b9n);
    z = word((z ^ (z >> 16n)) * 0x21f0aaadn);
    z = word((z ^ (z >> 15n)) * 0x735a2d97n);
    return Number(z ^ (z >> 15n));
  });
}
