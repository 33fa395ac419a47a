/**
 * @file What routed training adds to the layers of a model: hard decisions, and what tokens leave that skip a block.
 * Matrices are (batch · tokens, columns).
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Matrix } from '../matmul.ts';

const ROUTER_EPSILON = 1e-5;

/** Each row divided by its root mean square: a constant, whose gradient does not go to x. */
export function unitRms(x: Matrix): Matrix {
  // Its values leave the tape: what gates want of the hidden state is not asked of the model.
  const constant = tf.tensor2d(x.dataSync<'float32'>().slice(), x.shape);
  const inverse = tf.rsqrt(tf.add(tf.mean(tf.mul(constant, constant), 1, true), ROUTER_EPSILON));
  return tf.mul<Matrix>(constant, inverse);
}

/** What a gate decided for each row. */
export interface Decision {
  /** (rows, 1), a logit; its gradient goes to the gate alone. */
  readonly score: Matrix;
  readonly isOpen: readonly boolean[];
  /** Whether the gate decides about the row: it does not about anchors. */
  readonly isFree: (row: number) => boolean;
}

/** Opens a gate where score + offset > 0, and where the row is not free. @param offset - of each row */
export function decide(score: Matrix, offset: (row: number) => number, isFree: Decision['isFree']): Decision {
  const scores = score.dataSync<'float32'>();
  return { score, isFree, isOpen: Array.from(scores, (value, row) => !isFree(row) || value + offset(row) > 0) };
}

/** The decision with that of some free rows turned. */
export function turned(decision: Decision, isTurned: (row: number) => boolean): Decision {
  const isOpen = decision.isOpen.map((open, row) => open !== (decision.isFree(row) && isTurned(row)));
  return { ...decision, isOpen };
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
