/**
 * @file What routed training adds to the layers of a model: hard decisions with a gradient, branches that are taken or not,
 * and how far a routed model is from the dense one. Matrices are (batch · tokens, columns).
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Matrix } from '../matmul.ts';

const ROUTER_EPSILON = 1e-5;

/** Each row divided by its root mean square. */
export function unitRms(x: Matrix): Matrix {
  const op = tf.customGrad((...inputs) => {
    const [input, save] = inputs as unknown as [Matrix, tf.GradSaveFunc];
    const inverse = tf.rsqrt(tf.add(tf.mean(tf.mul(input, input), 1, true), ROUTER_EPSILON));
    const unit = tf.mul<Matrix>(input, inverse);
    save([unit, inverse]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const [normal, inv] = saved as [Matrix, Matrix];
      const along = tf.mul(normal, tf.mean(tf.mul(dy, normal), 1, true));
      return [tf.mul(tf.sub(dy, along), inv)];
    };
    return { value: unit, gradFunc };
  });
  return op(x);
}

/** Decisions of a gate for each row: 1 open, 0 closed. */
export interface Decision {
  /** (rows, 1); its gradient goes to the scores. */
  readonly open: Matrix;
  readonly isOpen: readonly boolean[];
}

/**
 * Opens a gate where score + noise > 0. The gradient is that of the sigmoid of the score (straight-through; Bengio et al.,
 * 2013), but nothing where the row is always open.
 * @param noise - added to the scores; logistic noise draws from the gate's probability
 */
export function decide(score: Matrix, noise: Float32Array, isAlwaysOpen: (row: number) => boolean): Decision {
  const scores = score.dataSync<'float32'>();
  const isOpen = Array.from(scores, (value, row) => isAlwaysOpen(row) || value + (noise[row] ?? 0) > 0);
  const isFree = Float32Array.from(scores, (_, row) => (isAlwaysOpen(row) ? 0 : 1));
  const op = tf.customGrad((...inputs) => {
    const [given, save] = inputs as unknown as [Matrix, tf.GradSaveFunc];
    const chance = tf.sigmoid(given);
    save([chance]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const [probability] = saved as [Matrix];
      const slope = tf.mul(tf.mul(probability, tf.sub(1, probability)), tf.tensor2d(isFree, [isFree.length, 1]));
      return [tf.mul(dy, slope)];
    };
    return { value: tf.tensor2d(Float32Array.from(isOpen, Number), [isOpen.length, 1]), gradFunc };
  });
  return { open: op(score), isOpen };
}

/** x + open · f: rows with a closed gate stay as they are. */
export function gatedResidual(x: Matrix, f: Matrix, open: Matrix): Matrix {
  const op = tf.customGrad((...inputs) => {
    const [input, branch, gate, save] = inputs as unknown as [Matrix, Matrix, Matrix, tf.GradSaveFunc];
    save([branch, gate]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const [added, opened] = saved as [Matrix, Matrix];
      return [tf.reshape(dy, dy.shape), tf.mul(dy, opened), tf.sum(tf.mul(dy, added), 1, true)];
    };
    return { value: tf.add(input, tf.mul(branch, gate)), gradFunc };
  });
  return op(x, f, open) as Matrix;
}

/**
 * q, k and v, with those k and v that a row did not make replaced by those that it made last.
 * @param qkv (rows, 3 · hidden) @param before - the same of the attention block before
 */
export function carryKv(qkv: Matrix, before: Matrix, isOpen: readonly boolean[]): Matrix {
  const [rows, columns] = qkv.shape;
  const hidden = columns / 3;
  /** k and v of the rows with a closed gate, or of those with an open one, and zeros elsewhere; q belongs to `own`. */
  const masked = (values: Float32Array, own: boolean): Matrix => {
    const part = new Float32Array(rows * columns);
    for (const [row, open] of isOpen.entries()) {
      const [from, to] = [row * columns, (row + 1) * columns];
      if (open === own) part.set(values.subarray(from, to), from);
      if (open === own && !own) part.fill(0, from, from + hidden);
      if (own && !open) part.set(values.subarray(from, from + hidden), from);
    }
    return tf.tensor2d(part, [rows, columns]);
  };
  const op = tf.customGrad((...inputs) => {
    const [own, last] = inputs as unknown as [Matrix, Matrix];
    const gradFunc = (dy: tf.Tensor): tf.Tensor[] => {
      const values = dy.dataSync<'float32'>();
      return [masked(values, true), masked(values, false)];
    };
    const value = tf.add(masked(own.dataSync<'float32'>(), true), masked(last.dataSync<'float32'>(), false));
    return { value, gradFunc };
  });
  return op(qkv, before) as Matrix;
}

/** The mean over rows of KL(softmax(dense) || softmax(logits)), in nats; `dense` (rows, vocab) is not trained. */
export function distance(logits: Matrix, dense: Matrix): tf.Scalar {
  const [rows] = logits.shape;
  const op = tf.customGrad((...inputs) => {
    const [scores, save] = inputs as unknown as [Matrix, tf.GradSaveFunc];
    const [own, wanted] = [tf.logSoftmax(scores), tf.logSoftmax(dense)];
    const chances = tf.exp(wanted);
    save([tf.sub(tf.exp(own), chances)]);
    const kl = tf.sum(tf.mul(chances, tf.sub(wanted, own)));
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => [tf.mul(saved[0] as Matrix, tf.div(dy, rows))];
    return { value: tf.div<tf.Scalar>(kl, rows), gradFunc };
  });
  return op(logits);
}

/**
 * weight · (d - target)², d being the mean of what the gates decided, with `fixed` decisions that were no decisions.
 * @param opens - (rows, 1) of each gate
 */
export function budgetLoss(
  opens: readonly Matrix[],
  { blocks, target, weight }: { readonly blocks: number; readonly target: number; readonly weight: number },
): tf.Scalar {
  const op = tf.customGrad((...inputs) => {
    const gates = inputs.slice(0, opens.length) as unknown as Matrix[];
    const rows = gates[0]?.shape[0] ?? 1;
    const sum = gates.reduce((total, gate) => total + gate.dataSync<'float32'>().reduce((a, b) => a + b, 0), 0);
    const depth = (sum / rows + blocks - gates.length) / blocks;
    const slope = (2 * weight * (depth - target)) / (blocks * rows);
    const gradFunc = (dy: tf.Tensor): tf.Tensor[] => gates.map(({ shape }) => tf.mul(tf.fill(shape, slope), dy));
    return { value: tf.scalar(weight * (depth - target) ** 2), gradFunc };
  });
  return op(...opens);
}
