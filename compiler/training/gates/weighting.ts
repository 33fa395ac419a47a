/** @file Branches in training that are scaled by the probability of their gate (`weighting: "probability"`). */
import * as tf from '@tensorflow/tfjs-core';
import type { Matrix } from '../matmul.ts';

/** sigmoid(score) · f; f (rows, columns), score (rows, 1). */
export function weighted(f: Matrix, score: Matrix): Matrix {
  const op = tf.customGrad((...inputs) => {
    const [branch, logit, save] = inputs as unknown as [Matrix, Matrix, tf.GradSaveFunc];
    const chance = tf.sigmoid(logit);
    save([branch, chance]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const [added, probability] = saved as [Matrix, Matrix];
      const slope = tf.mul(probability, tf.sub(1, probability));
      return [tf.mul(dy, probability), tf.mul(tf.sum(tf.mul(dy, added), 1, true), slope)];
    };
    return { value: tf.mul(branch, chance), gradFunc };
  });
  return op(f, score) as Matrix;
}
