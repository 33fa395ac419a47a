/**
 * @file TensorFlow.js as a second opinion: its WebAssembly backend, and the way between its tensors and ours.
 *
 * In Node the package is its CommonJS build, in which tensors have no methods: use functions, `tf.add(a, b)`.
 */
import assert from 'node:assert/strict';
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '../../../ir/interpreter/index.ts';

/** Distance from 1 to the next f32. */
const F32_EPSILON = 2 ** -23;

/** Call before the first tensor is made. */
export async function startTensorFlow(): Promise<void> {
  await tf.setBackend('wasm');
  await tf.ready();
}

export function toTf({ shape, data }: Tensor): tf.Tensor {
  return tf.tensor(data, [...shape], data instanceof Int32Array ? 'int32' : 'float32');
}

/** The shape and numbers of what `compute` returns; everything made on the way is freed. */
export function computed(compute: () => tf.Tensor): Tensor {
  const result = tf.tidy(compute);
  const data = Float32Array.from(result.dataSync());
  const { shape } = result;
  tf.dispose(result);
  return { shape, data };
}

/**
 * Two f32 computations of the same values agree.
 * @param ulps - the error allowed, in f32 epsilons of the largest number among the results (or of 1); 0: to the bit
 */
export function assertSame(found: Tensor, expected: Tensor, ulps: number, what: string): void {
  assert.deepEqual(found.shape, expected.shape, `${what}: shape`);
  assert.equal(found.data.length, expected.data.length, `${what}: number of elements`);
  let largest = 1;
  for (const value of expected.data) largest = Math.max(largest, Math.abs(value));
  assertWithin(found.data, expected.data, ulps * F32_EPSILON * largest, what);
}

/** No element differs by more than `tolerance`; NaN agrees with nothing. */
export function assertWithin(
  found: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  assert.equal(found.length, expected.length, `${what}: number of elements`);
  for (let i = 0; i < expected.length; i++) {
    const [a = NaN, b = NaN] = [found[i], expected[i]];
    assert.ok(Math.abs(a - b) <= tolerance, `${what}: element ${i} is ${a}, tfjs has ${b} (± ${tolerance})`);
  }
}
