/**
 * @file The model's layers as tfjs operations with gradients of their own.
 *
 * The products are those of `matmul.ts`, so each layer that has one is a `customGrad`; so are the others, of which tfjs'
 * own gradients lack parts or are slow on the wasm backend. Activations are `(rows, columns)` with
 * rows = batch · tokens.
 */
import * as tf from '@tensorflow/tfjs-core';
import { columnSums, product, repeatedRow, transposed, view } from './matmul.ts';
import type { Matrix, Vector } from './matmul.ts';

/** What tfjs hands to a gradient function, as matrices. */
function matrices(saved: readonly tf.Tensor[]): readonly Matrix[] {
  return saved as readonly Matrix[];
}

function pick<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new Error(`internal: no tensor ${index}`);
  return item;
}

/** x (rows, in) · w (in, out) + b (out) → (rows, out). */
export function linear(x: Matrix, w: Matrix, b: Vector): Matrix {
  const op = tf.customGrad((...inputs) => {
    const [input, weight, bias, save] = inputs as unknown as [Matrix, Matrix, Vector, tf.GradSaveFunc];
    save([input, weight]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const [inp, weights] = [pick(matrices(saved), 0), pick(matrices(saved), 1)];
      const dOut = dy as Matrix;
      return [
        product(view(dOut), transposed(view(weights))),
        product(transposed(view(inp)), view(dOut)),
        columnSums(dOut),
      ];
    };
    const plus = { matrix: repeatedRow(bias, input.shape[0]), factor: 1 };
    return { value: product(view(input), view(weight), { plus }), gradFunc };
  });
  return op(x, w, b);
}

/** The same with a weight and a bias that are not trained. */
export function fixedLinear(x: Matrix, w: Matrix, b: Vector): Matrix {
  const op = tf.customGrad((...inputs) => {
    const [input] = inputs as unknown as [Matrix];
    const plus = { matrix: repeatedRow(b, input.shape[0]), factor: 1 };
    const gradFunc = (dy: tf.Tensor): tf.Tensor[] => [product(view(dy as Matrix), transposed(view(w)))];
    return { value: product(view(input), view(w), { plus }), gradFunc };
  });
  return op(x);
}

/** The residual sum of two matrices of one shape. */
export function residual(x: Matrix, branch: Matrix): Matrix {
  const op = tf.customGrad((...inputs) => {
    const [left, right] = inputs as unknown as [Matrix, Matrix];
    // Two handles: tfjs disposes each input's gradient for itself.
    const gradFunc = (dy: tf.Tensor): tf.Tensor[] => [tf.reshape(dy, dy.shape), tf.reshape(dy, dy.shape)];
    return { value: tf.add(left, right), gradFunc };
  });
  return op(x, branch) as Matrix;
}

/** max(x, 0). */
export function relu(x: Matrix): Matrix {
  const op = tf.customGrad((...inputs) => {
    const [input, save] = inputs as unknown as [Matrix, tf.GradSaveFunc];
    const value = tf.relu(input);
    save([value]);
    return { value, gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => [tf.mul(dy, tf.step(pick(saved, 0)))] };
  });
  return op(x);
}

const NORM_EPSILON = 1e-5;

/** Each row of x (rows, columns) to mean 0 and variance 1, then · gain + shift (columns). */
export function layerNorm(x: Matrix, gain: Vector, shift: Vector): Matrix {
  const op = tf.customGrad((...inputs) => {
    const [input, scale, offset, save] = inputs as unknown as [Matrix, Vector, Vector, tf.GradSaveFunc];
    const centred = tf.sub(input, tf.mean(input, 1, true));
    const inverse = tf.rsqrt(tf.add(tf.mean(tf.mul(centred, centred), 1, true), NORM_EPSILON));
    const normal = tf.mul(centred, inverse);
    save([normal, inverse, scale]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const [unit, inv, weight] = [pick(saved, 0), pick(saved, 1), pick(saved, 2)];
      const dUnit = tf.mul(dy, weight);
      const along = tf.mul(unit, tf.mean(tf.mul(dUnit, unit), 1, true));
      const dx = tf.mul(tf.sub(tf.sub(dUnit, tf.mean(dUnit, 1, true)), along), inv);
      return [dx, columnSums(tf.mul<Matrix>(dy, unit)), columnSums(dy as Matrix)];
    };
    return { value: tf.add(tf.mul(normal, scale), offset), gradFunc };
  });
  return op(x, gain, shift) as Matrix;
}

/** Rows `ids` of table (entries, columns) → (ids, columns). */
export function embed(table: Matrix, ids: Int32Array): Matrix {
  const [entries, columns] = table.shape;
  const op = tf.customGrad((...inputs) => {
    const [rows] = inputs as unknown as [Matrix];
    const values = rows.dataSync<'float32'>();
    const picked = new Float32Array(ids.length * columns);
    for (const [i, id] of ids.entries()) picked.set(values.subarray(id * columns, (id + 1) * columns), i * columns);
    const gradFunc = (dy: tf.Tensor): tf.Tensor[] => {
      const sums = new Float32Array(entries * columns);
      const dRows = dy.dataSync<'float32'>();
      for (const [i, id] of ids.entries()) addInto(sums, id * columns, dRows, i * columns, columns);
      return [tf.tensor2d(sums, [entries, columns])];
    };
    return { value: tf.tensor2d(picked, [ids.length, columns]), gradFunc };
  });
  return op(table);
}

function addInto(sums: Float32Array, to: number, values: Float32Array, from: number, count: number): void {
  for (let c = 0; c < count; c++) sums[to + c] = (sums[to + c] ?? 0) + (values[from + c] ?? 0);
}

/** The tied head: x (rows, columns) · tableᵀ, table (vocab, columns) → (rows, vocab). */
export function tiedHead(x: Matrix, table: Matrix): Matrix {
  const op = tf.customGrad((...inputs) => {
    const [input, rows, save] = inputs as unknown as [Matrix, Matrix, tf.GradSaveFunc];
    save([input, rows]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const [inp, entries] = [pick(matrices(saved), 0), pick(matrices(saved), 1)];
      const dOut = view(dy as Matrix);
      return [product(dOut, view(entries)), product(transposed(dOut), view(inp))];
    };
    return { value: product(view(input), transposed(view(rows))), gradFunc };
  });
  return op(x, table);
}

/** The same with a table that is not trained. */
export function fixedHead(x: Matrix, table: Matrix): Matrix {
  const op = tf.customGrad((...inputs) => {
    const [input] = inputs as unknown as [Matrix];
    const gradFunc = (dy: tf.Tensor): tf.Tensor[] => [product(view(dy as Matrix), view(table))];
    return { value: product(view(input), transposed(view(table))), gradFunc };
  });
  return op(x);
}

/** The mean over rows of −ln softmax(logits)[row, target], in nats; logits (rows, vocab), one target for each row. */
export function crossEntropy(logits: Matrix, targets: Int32Array): tf.Scalar {
  const [rows, vocab] = logits.shape;
  const op = tf.customGrad((...inputs) => {
    const [scores, save] = inputs as unknown as [Matrix, tf.GradSaveFunc];
    const chances = tf.softmax(scores);
    save([chances]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const wanted = tf.oneHot(tf.tensor1d(targets, 'int32'), vocab);
      return [tf.mul(tf.sub(pick(saved, 0), wanted), tf.div(dy, rows))];
    };
    return { value: tf.scalar(meanNats(chances, targets)), gradFunc };
  });
  return op(logits);
}

function meanNats(chances: tf.Tensor, targets: Int32Array): number {
  const values = chances.dataSync<'float32'>();
  const vocab = chances.shape[1] ?? 0;
  let sum = 0;
  for (const [row, target] of targets.entries()) sum -= Math.log(Math.max(values[row * vocab + target] ?? 0, 1e-30));
  return sum / targets.length;
}
