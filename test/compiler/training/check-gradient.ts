/** @file Compares gradients with finite differences. */
import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import { normals, seededRandom } from '../../../compiler/training/random.ts';

/** Small enough for the curvature, large enough for f32. */
const STEP = 1e-2;
type Inputs = readonly (readonly number[])[];

/**
 * Compares, along random directions d, the slope Σ gradient · d with (f(x + εd) − f(x − εd)) / 2ε, where f is a fixed
 * random weighting of the layer's output.
 */
export function checkGradient(shapes: Inputs, layer: (...inputs: tf.Tensor[]) => tf.Tensor): void {
  const random = seededRandom(shapes.flat().reduce((sum, dim) => 31 * sum + dim, 7));
  const draw = (shape: readonly number[]): Float32Array =>
    normals(
      random,
      shape.reduce((product, dim) => product * dim, 1),
      1,
    );
  const points = shapes.map(draw);
  const tensors = (values: readonly Float32Array[]): tf.Tensor[] =>
    values.map((data, i) => tf.tensor(data, [...(shapes[i] ?? [])]));
  const outputShape = tf.tidy(() => layer(...tensors(points)).shape);
  const weighting = draw(outputShape);
  const value = (values: readonly Float32Array[]): number =>
    tf.tidy(() => dot(layer(...tensors(values)).dataSync<'float32'>(), weighting));

  const gradients = tf.tidy(() =>
    tf
      .grads(layer)(tensors(points), tf.tensor(weighting, outputShape))
      .map((g) => g.dataSync<'float32'>()),
  );
  for (let direction = 0; direction < 4; direction++) {
    const steps = shapes.map(draw);
    const moved = (sign: number): Float32Array[] =>
      points.map((point, i) => point.map((x, j) => x + sign * STEP * (steps[i]?.[j] ?? 0)));
    const measured = (value(moved(1)) - value(moved(-1))) / (2 * STEP);
    const claimed = gradients.reduce((sum, g, i) => sum + dot(g, steps[i] ?? new Float32Array()), 0);
    const scale = Math.max(1, Math.abs(measured));
    assert.ok(Math.abs(measured - claimed) < 0.01 * scale, `direction ${direction}: ${measured}, not ${claimed}`);
  }
}

export function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);
}
