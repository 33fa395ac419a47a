/** @file The mathematics of transformers in the words of TensorFlow.js; nothing here knows the IR. */
import * as tf from '@tensorflow/tfjs-core';
import type { Activation } from '../../../ir/ops/math.ts';

export const activations: Readonly<Record<Activation, (x: tf.Tensor) => tf.Tensor>> = {
  relu: (x) => tf.maximum(x, 0),
  gelu: (x) => tf.mul(tf.mul(x, 0.5), tf.add(1, tf.erf(tf.mul(x, Math.SQRT1_2)))),
  // (1 + tanh y) / 2 = sigmoid(2 y)
  gelu_tanh: (x) =>
    tf.mul(x, tf.sigmoid(tf.mul(2 * Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(0.044715, tf.pow(x, 3)))))),
  silu: (x) => tf.mul(x, tf.sigmoid(x)),
  tanh: (x) => tf.sub(tf.mul(2, tf.sigmoid(tf.mul(2, x))), 1),
};

/** Of each row. */
export function layerNorm(x: tf.Tensor, gain: tf.Tensor, shift: tf.Tensor, eps: number): tf.Tensor {
  const { mean, variance } = tf.moments(x, -1, true);
  return tf.add(tf.mul(tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, eps))), gain), shift);
}

/** Of each row. */
export function rmsNorm(x: tf.Tensor, gain: tf.Tensor, eps: number): tf.Tensor {
  const meanSquare = tf.mean(tf.square(x), -1, true);
  return tf.mul(tf.mul(x, tf.rsqrt(tf.add(meanSquare, eps))), gain);
}

/** x · weightᵀ + bias; x (rows, in), weight (out, in). */
export function dense(x: tf.Tensor, weight: tf.Tensor, bias?: tf.Tensor): tf.Tensor {
  const product = tf.matMul(x, weight, false, true);
  return bias === undefined ? product : tf.add(product, bias);
}

/** Each row as a multiple of whole numbers of at most `most`, ties to even. */
export function onGrid(rows: tf.Tensor, most: number): tf.Tensor {
  const peak = tf.max(tf.abs(rows), -1, true);
  return tf.mul(tf.round(tf.mul(rows, tf.div(most, peak))), tf.div(peak, most));
}

/** Rows of a table, as its product with the one-hot rows of (ids = row number). */
export function embed(ids: tf.Tensor, table: tf.Tensor): tf.Tensor {
  const [rows = 0] = table.shape;
  const hot = tf.equal(tf.expandDims(ids, 1), tf.range(0, rows, 1, 'int32'));
  return tf.matMul(tf.cast(hot, 'float32'), table);
}

/** Rotary position embedding: x · cos + rotate_half(x) · sin in each head; x (rows, heads · dim), cos (rows, dim / 2). */
export function rotate(x: tf.Tensor, cos: tf.Tensor, sin: tf.Tensor): tf.Tensor {
  const [rows = 0, columns = 0] = x.shape;
  const dim = 2 * (cos.shape[1] ?? 0);
  const split = tf.reshape(x, [rows, columns / dim, dim]);
  const [low, high] = tf.split(split, 2, 2) as [tf.Tensor, tf.Tensor];
  const twice = (half: tf.Tensor): tf.Tensor => tf.expandDims(tf.concat([half, half], 1), 1);
  const turned = tf.add(tf.mul(split, twice(cos)), tf.mul(tf.concat([tf.neg(high), low], 2), twice(sin)));
  return tf.reshape(turned, [rows, columns]);
}

export interface AttentionShape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly scale: number;
}

/**
 * softmax(q · kᵀ · scale + mask) · v in each head.
 * q (rows, heads · dim); k, v (columns, kvHeads · dim), each KV head serves heads / kvHeads consecutive heads.
 * @param mask - (rows, columns): 1 where a row sees a column, else 0; a row that sees nothing yields 0
 */
export function attention(
  q: tf.Tensor,
  k: tf.Tensor,
  v: tf.Tensor,
  { heads, kvHeads, scale, mask }: AttentionShape & { readonly mask?: tf.Tensor },
): tf.Tensor {
  const group = heads / kvHeads;
  const perHead = (x: tf.Tensor, count: number): tf.Tensor => {
    const [rows = 0, columns = 0] = x.shape;
    return tf.transpose(tf.reshape(x, [rows, count, columns / count]), [1, 0, 2]);
  };
  const shared = (x: tf.Tensor): tf.Tensor => {
    const [, rows = 0, dim = 0] = x.shape;
    return tf.reshape(tf.tile(tf.expandDims(x, 1), [1, group, 1, 1]), [heads, rows, dim]);
  };
  const scores = tf.mul(tf.matMul(perHead(q, heads), shared(perHead(k, kvHeads)), false, true), scale);
  const seen = mask ?? tf.onesLike(scores);
  const weights = tf.mul(tf.softmax(tf.add(scores, tf.mul(tf.sub(seen, 1), 1e9))), seen);
  const mixed = tf.matMul(weights, shared(perHead(v, kvHeads)));
  return tf.reshape(tf.transpose(mixed, [1, 0, 2]), q.shape);
}

/** (rows, rows): row i sees columns 0 … i. */
export function causalMask(rows: number): tf.Tensor {
  const places = tf.range(0, rows);
  return tf.cast(tf.greaterEqual(tf.expandDims(places, 1), tf.expandDims(places, 0)), 'float32');
}

/** An image (channels, height, width) as (patches, channels · size²), patches row by row. */
export function patches(image: tf.Tensor, size: number): tf.Tensor {
  const [channels = 0, height = 0, width = 0] = image.shape;
  const [down, across] = [height / size, width / size];
  const cut = tf.reshape(image, [channels, down, size, across, size]);
  return tf.reshape(tf.transpose(cut, [1, 3, 0, 2, 4]), [down * across, channels * size ** 2]);
}

/** cos and sin of position × frequency: (length, frequencies). */
export function angles(length: number, frequencies: tf.Tensor): tf.Tensor {
  return tf.mul(tf.expandDims(tf.range(0, length), 1), tf.expandDims(frequencies, 0));
}
