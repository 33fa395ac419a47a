/** @file What predictions are trained towards. */
import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import { distances, goalLoss, goalNats, surprises } from '../../../compiler/training/goal.ts';
import { startBackend } from '../../../compiler/training/index.ts';
import type { Matrix } from '../../../compiler/training/matmul.ts';
import { checkGradient } from './check-gradient.ts';

describe('the goal of training', () => {
  before(startBackend);

  it('distances and surprises: of each row, by their definitions', () => {
    const [logits, dense] = [tf.tensor2d([1, 2, 0.5, -1, 0, 3], [2, 3]), tf.tensor2d([0, 2, 1, -1, 0, 3], [2, 3])];
    const chances = (rows: tf.Tensor2D): number[][] => tf.softmax(rows).arraySync();
    const [own, wanted] = [chances(logits), chances(dense)];
    const kl = wanted.map((row, i) => row.reduce((sum, p, j) => sum + p * Math.log(p / (own[i]?.[j] ?? NaN)), 0));
    distances(logits, dense).forEach((value, i) => {
      assert.ok(Math.abs(value - (kl[i] ?? NaN)) < 1e-5);
    });
    surprises(logits, Int32Array.of(2, 0)).forEach((value, i) => {
      assert.ok(Math.abs(value + Math.log(own[i]?.[[2, 0][i] ?? NaN] ?? NaN)) < 1e-5);
    });
  });

  it('has the gradient of its loss, with and without a teacher', () => {
    const logits = tf.tensor2d([0.5, -1, 2, 0, 1, 0.3], [2, 3]);
    const targets = Int32Array.of(2, 0);
    for (const goal of [{ targets }, ...[0, 0.3, 1].map((weight) => ({ targets, teacher: { logits, weight } }))]) {
      checkGradient([[2, 3]], (given) => goalLoss(given as Matrix, goal));
    }
  });

  it('is as far from text and teacher as their weights say', () => {
    const [logits, teacher] = [tf.tensor2d([1, 2, 0.5], [1, 3]), tf.tensor2d([0, 2, 1], [1, 3])];
    const targets = Int32Array.of(2);
    const [text, far] = [surprises(logits, targets)[0] ?? NaN, distances(logits, teacher)[0] ?? NaN];
    for (const weight of [0, 0.25, 1]) {
      const goal = { targets, teacher: { logits: teacher, weight } };
      const expected = (1 - weight) * text + weight * far;
      for (const found of [goalNats(logits, goal)[0], goalLoss(logits, goal).dataSync()[0]]) {
        assert.ok(Math.abs((found ?? NaN) - expected) < 1e-6, `${found}, not ${expected}`);
      }
    }
  });
});
