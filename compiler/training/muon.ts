/**
 * @file Muon (Jordan et al., 2024): a matrix moves along the orthogonal matrix that is nearest to its momentum, so that
 * all its directions learn at one pace, not just the few that the gradient is full of.
 */
import * as tf from '@tensorflow/tfjs-core';
import { product, transposed, view } from './matmul.ts';
import type { Matrix } from './matmul.ts';

const MOMENTUM = 0.95;
/** Root mean square of an update, before the learning rate: on the scale of Adam's, so that one rate serves both. */
const UPDATE_RMS = 0.4;

/** The quintic Newton–Schulz iteration that Jordan et al. tuned: singular values end between 0.7 and 1.2. */
const ITERATIONS = 5;
const QUINTIC = [3.4445, -4.775, 2.0315] as const;

/**
 * The update of one matrix, to be scaled by the learning rate and subtracted; changes `momentum`.
 * @param gradient (rows · columns), like `momentum`
 */
export function muonUpdate(
  gradient: Float32Array,
  momentum: Float32Array,
  [rows, columns]: readonly [number, number],
): Float32Array {
  const ahead = new Float32Array(gradient.length);
  for (let i = 0; i < gradient.length; i++) {
    const g = gradient[i] ?? 0;
    const m = MOMENTUM * (momentum[i] ?? 0) + (1 - MOMENTUM) * g;
    momentum[i] = m;
    ahead[i] = MOMENTUM * m + (1 - MOMENTUM) * g;
  }
  const scale = UPDATE_RMS * Math.sqrt(Math.max(rows, columns));
  const update = tf.tidy(() => tf.mul(orthogonalised(tf.tensor2d(ahead, [rows, columns])), scale));
  const values = update.dataSync<'float32'>();
  update.dispose();
  return values;
}

/** U Vᵀ of the singular value decomposition U S Vᵀ, about: X ← a X + (b A + c A²) X with A = X Xᵀ. */
function orthogonalised(matrix: Matrix): Matrix {
  const tall = matrix.shape[0] > matrix.shape[1];
  const [a, b, c] = QUINTIC;
  let x: Matrix = tf.div(matrix, tf.add(tf.sqrt(tf.sum(tf.square(matrix))), 1e-12));
  for (let i = 0; i < ITERATIONS; i++) {
    // A tall matrix is the transpose of a wide one: Xᵀ ← a Xᵀ + Xᵀ (b A + c A²), and A is symmetric.
    const here = view(x);
    const square = view(tall ? product(transposed(here), here) : product(here, transposed(here)));
    const mixed = view(product(square, square, { scale: c, plus: { matrix: square, factor: b } }));
    const plus = { matrix: here, factor: a };
    x = tall ? product(here, mixed, { plus }) : product(mixed, here, { plus });
  }
  return x;
}
