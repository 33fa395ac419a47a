/** @file Every layer's own gradient against finite differences of its own value. */
import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import { causalAttention } from '../../../compiler/training/attention.ts';
import { startBackend } from '../../../compiler/training/matmul.ts';
import type { Matrix, Vector } from '../../../compiler/training/matmul.ts';
import { forward, initialParameters, parameterSpecs, parameterTensors } from '../../../compiler/training/model.ts';
import { crossEntropy, embed, layerNorm, linear, relu, residual, tiedHead } from '../../../compiler/training/ops.ts';
import { normals, seededRandom } from '../../../compiler/training/random.ts';
import { lossAndGradient } from '../../../compiler/training/step.ts';
import { traineeOf } from '../../../compiler/training/trainee.ts';
import { checkGradient, dot } from './check-gradient.ts';
import { tinySettings } from './support.ts';

/** Small enough for the curvature of the whole model, large enough for f32. */
const HOP = 2e-4;

describe('gradients of the training layers', () => {
  before(startBackend);

  it('linear, both wide and narrow', () => {
    for (const [inner, out] of [
      [6, 10],
      [10, 6],
    ] as const) {
      checkGradient([[5, inner], [inner, out], [out]], (x, w, b) => linear(x as Matrix, w as Matrix, b as Vector));
    }
  });

  it('layerNorm', () => {
    checkGradient([[5, 12], [12], [12]], (x, g, b) => layerNorm(x as Matrix, g as Vector, b as Vector));
  });

  it('residual, also of a matrix and itself', () => {
    checkGradient(
      [
        [4, 6],
        [4, 6],
      ],
      (a, b) => residual(a as Matrix, b as Matrix),
    );
    checkGradient([[4, 6]], (a) => residual(a as Matrix, a as Matrix));
  });

  it('relu, away from its corner', () => {
    const x = tf.tensor2d([-2, -0.5, 0.5, 2], [2, 2]);
    const dy = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    const gradient = tf.grad((input) => relu(input as Matrix))(x, dy);
    assert.deepEqual([...gradient.dataSync()], [0, 0, 3, 4]);
  });

  it('embed, with an id that occurs twice', () => {
    checkGradient([[7, 5]], (table) => embed(table as Matrix, Int32Array.of(3, 0, 3, 6)));
  });

  it('tiedHead', () => {
    checkGradient(
      [
        [5, 6],
        [9, 6],
      ],
      (x, table) => tiedHead(x as Matrix, table as Matrix),
    );
  });

  it('causalAttention', () => {
    const shape = { batch: 2, tokens: 5, heads: 2, headDim: 3 };
    checkGradient([[10, 18]], (qkv) => causalAttention(qkv as Matrix, shape));
    const few = { lengths: [3, 0], seen: Array.from({ length: 10 }, (_, row) => row !== 1) };
    checkGradient([[10, 18]], (qkv) => causalAttention(qkv as Matrix, shape, few));
    const qkv = tf.tensor2d(normals(seededRandom(8), 180, 1), [10, 18]);
    const [all, some] = [{ seen: few.seen }, few].map((looks) => causalAttention(qkv, shape, looks).arraySync());
    assert.deepEqual(some?.slice(0, 3), all?.slice(0, 3));
    assert.ok(some?.slice(3).every((row) => row.every((x) => x === 0)));
  });

  it('crossEntropy', () => {
    checkGradient([[4, 7]], (logits) => crossEntropy(logits as Matrix, Int32Array.of(0, 6, 3, 3)));
  });

  it('the whole model', () => {
    const { shape, batch } = tinySettings();
    const specs = parameterSpecs(shape);
    // Random everywhere, so that no block's gradient is zero.
    const flat = initialParameters(specs, 1).map((x, i) => x + 0.05 * Math.sin(i));
    const ids = Int32Array.from({ length: 32 }, (_, i) => (7 * i) % shape.vocab);
    const data = { ids, targets: ids.map((id) => (id + 5) % shape.vocab) };
    const trainee = traineeOf(tinySettings(), new Float32Array());
    const work = { share: { data, batch, drops: () => false }, step: 0, worker: 0 };
    const lossAt = (parameters: Float32Array): number => lossAndGradient(trainee, parameters, work).loss;
    const { gradient } = lossAndGradient(trainee, flat, work);
    const random = seededRandom(3);
    for (const { name, offset, size } of specs) {
      const direction = normals(random, size, 1);
      const moved = (sign: number): Float32Array => {
        const there = flat.slice();
        for (const [i, d] of direction.entries()) there[offset + i] = (there[offset + i] ?? 0) + sign * HOP * d;
        return there;
      };
      const measured = (lossAt(moved(1)) - lossAt(moved(-1))) / (2 * HOP);
      const claimed = dot(gradient.subarray(offset, offset + size), direction);
      // ReLU's corners and f32 blur the slope.
      const part = gradient.subarray(offset, offset + size);
      const tolerance = 0.05 * Math.sqrt(dot(part, part)) + 2e-3;
      assert.ok(Math.abs(measured - claimed) < tolerance, `${name}: ${measured}, not ${claimed}`);
    }
  });
});

describe('the forward pass of training', () => {
  before(startBackend);

  it('is causal: a token changes nothing before it', () => {
    const { shape } = tinySettings();
    const specs = parameterSpecs(shape);
    const flat = initialParameters(specs, 1).map((x, i) => x + 0.05 * Math.sin(i));
    const parameters = parameterTensors(specs, flat);
    const logits = (last: number): Float32Array =>
      tf.tidy(() => forward(parameters, shape, { ids: Int32Array.of(5, 6, 7, last), batch: 1 }).dataSync<'float32'>());
    const [a, b] = [logits(8), logits(9)];
    const before = 3 * shape.vocab;
    assert.deepEqual(a.subarray(0, before), b.subarray(0, before));
    assert.notDeepEqual(a.subarray(before), b.subarray(before));
    tf.dispose([...parameters.values()]);
  });

  it('leaves no tensors behind', () => {
    const { shape, batch } = tinySettings();
    const specs = parameterSpecs(shape);
    const flat = initialParameters(specs, 1);
    const ids = new Int32Array(32).fill(4);
    const begin = tf.memory().numTensors;
    const share = { data: { ids, targets: ids }, batch, drops: () => false };
    lossAndGradient(traineeOf(tinySettings(), new Float32Array()), flat, { share, step: 0, worker: 0 });
    assert.equal(tf.memory().numTensors, begin);
  });
});
