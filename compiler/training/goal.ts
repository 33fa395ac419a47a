/** @file What predictions are trained towards: the text, a teacher's predictions, or something of both. */
import * as tf from '@tensorflow/tfjs-core';
import type { Matrix } from './matmul.ts';
import { crossEntropy } from './ops.ts';

export interface Goal {
  /** What follows each token. */
  readonly targets: Int32Array;
  readonly teacher?: {
    /** (rows, vocab) */
    readonly logits: Matrix;
    /** Of its part of the loss, from 0 to 1. */
    readonly weight: number;
  };
}

/**
 * The mean over rows of (1 − w) · −ln p[target] + w · KL(teacher || p), in nats, with p = softmax(logits) and w the teacher's
 * weight (Hinton et al., 2015, at temperature 1).
 *
 * @param nats - those of {@link goalNats}, where they are known
 */
export function goalLoss(logits: Matrix, goal: Goal, nats?: Float32Array): tf.Scalar {
  const { targets, teacher } = goal;
  if (teacher === undefined) return crossEntropy(logits, targets);
  const [rows, vocab] = logits.shape;
  const { weight } = teacher;
  const mean = (nats ?? goalNats(logits, goal)).reduce((sum, one) => sum + one, 0) / rows;
  const op = tf.customGrad((...inputs) => {
    const [scores, wanted, save] = inputs as unknown as [Matrix, Matrix, tf.GradSaveFunc];
    save([scores, wanted]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const [own, dense] = saved as [Matrix, Matrix];
      const text = tf.oneHot(tf.tensor1d(targets, 'int32'), vocab);
      const sought = tf.add(tf.mul(text, 1 - weight), tf.mul(tf.softmax(dense), weight));
      return [tf.mul(tf.sub(tf.softmax(own), sought), tf.div(dy, rows)), tf.zerosLike(dense)];
    };
    return { value: tf.scalar(mean), gradFunc };
  });
  return op(logits, teacher.logits);
}

/** The same of each row, without a gradient. */
export function goalNats(logits: Matrix, { targets, teacher }: Goal): Float32Array {
  if (teacher === undefined) return surprises(logits, targets);
  const { weight } = teacher;
  if (weight === 1) return distances(logits, teacher.logits);
  const [far, surprise] = [distances(logits, teacher.logits), surprises(logits, targets)];
  return far.map((distance, row) => weight * distance + (1 - weight) * (surprise[row] ?? NaN));
}

/** KL(softmax(teacher) || softmax(logits)) of each row, in nats; both (rows, vocab). */
export function distances(logits: Matrix, teacher: Matrix): Float32Array {
  return tf.tidy(() => {
    const [own, wanted] = [tf.logSoftmax(logits), tf.logSoftmax(teacher)];
    return tf.sum(tf.mul(tf.exp(wanted), tf.sub(wanted, own)), 1).dataSync<'float32'>();
  });
}

/** −ln softmax(logits)[row, target] of each row, in nats; logits (rows, vocab). */
export function surprises(logits: Matrix, targets: Int32Array): Float32Array {
  return tf.tidy(() => {
    const vocab = logits.shape[1];
    const chances = tf.softmax(logits).dataSync<'float32'>();
    return Float32Array.from(targets, (target, row) => -Math.log(Math.max(chances[row * vocab + target] ?? 0, 1e-30)));
  });
}
