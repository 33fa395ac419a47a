/** @file Products in tfjs' memory: views, its bookkeeping, and large attention against a plain one. */
import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import { causalAttention } from '../../../compiler/training/attention.ts';
import { compiledMatmul, initialState, startBackend, train } from '../../../compiler/training/index.ts';
import {
  columnSums,
  emptyMatrix,
  multiply,
  partOf,
  product,
  repeatedRow,
  transposed,
  view,
} from '../../../compiler/training/matmul.ts';
import type { Matrix } from '../../../compiler/training/matmul.ts';
import { normals, seededRandom } from '../../../compiler/training/random.ts';
import { tinySettings, tinyText } from './support.ts';

function randomMatrix(rows: number, columns: number): Matrix {
  return tf.tensor2d(normals(seededRandom(rows + 7 * columns), rows * columns, 1), [rows, columns]);
}

function near(actual: tf.Tensor, expected: tf.Tensor, tolerance = 1e-4): void {
  assert.deepEqual(actual.shape, expected.shape);
  const [a, b] = [actual.dataSync<'float32'>(), expected.dataSync<'float32'>()];
  const worst = a.reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] ?? NaN))), 0);
  assert.ok(worst < tolerance, `differs by ${worst}`);
}

/** One head of attention and the gradient of Σ out · dOut, in float64; matrices are arrays of rows. */
function plainAttention(
  [q, k, v]: readonly [number[][], number[][], number[][]],
  dOut: number[][],
): { out: number[][]; gradients: readonly [number[][], number[][], number[][]] } {
  const scale = 1 / Math.sqrt(q[0]?.length ?? NaN);
  const dot = (x: readonly number[] = [], y: readonly number[] = []): number =>
    x.reduce((sum, value, i) => sum + value * (y[i] ?? NaN), 0);
  const chances = q.map((query, t) => {
    const powers = k.map((key, s) => (s <= t ? Math.exp(scale * dot(query, key)) : 0));
    const total = powers.reduce((sum, x) => sum + x, 0);
    return powers.map((x) => x / total);
  });
  const slopes = chances.map((row, t) => {
    const dRow = v.map((value) => dot(dOut[t], value));
    const mean = dot(row, dRow);
    return row.map((chance, s) => chance * ((dRow[s] ?? NaN) - mean) * scale);
  });
  const transpose = (x: readonly (readonly number[])[]): number[][] =>
    (x[0] ?? []).map((_, column) => x.map((row) => row[column] ?? NaN));
  const times = (x: readonly (readonly number[])[], y: number[][]): number[][] => {
    const columns = transpose(y);
    return x.map((row) => columns.map((column) => dot(row, column)));
  };
  const gradients = [times(slopes, k), times(transpose(slopes), q), times(transpose(chances), dOut)] as const;
  return { out: times(chances, v), gradients };
}

describe('products in the memory of tfjs', () => {
  before(startBackend);
  beforeEach(() => {
    tf.engine().startScope();
  });
  afterEach(() => {
    tf.engine().endScope();
  });

  it('multiplies matrices, transposes and parts, and adds', () => {
    const [a, b] = [randomMatrix(13, 21), randomMatrix(21, 10)];
    near(product(view(a), view(b)), tf.matMul(a, b));
    near(product(transposed(view(b)), transposed(view(a))), tf.transpose(tf.matMul(a, b)));
    const part = partOf(view(a), { row: 2, rows: 7, column: 3, columns: 10 });
    near(
      product(part, transposed(view(b)), { scale: 2 }),
      tf.mul(tf.matMul(tf.slice(a, [2, 3], [7, 10]), b, false, true), 2),
    );
    const row = tf.tensor1d(normals(seededRandom(2), 10, 1));
    const plus = { matrix: repeatedRow(row, 13), factor: -1 };
    near(product(view(a), view(b), { plus }), tf.sub(tf.matMul(a, b), row));
  });

  it('writes into a part, and only there', () => {
    const [a, b] = [randomMatrix(5, 6), randomMatrix(6, 3)];
    const whole = tf.zeros<tf.Rank.R2>([9, 8]);
    multiply(partOf(view(whole), { row: 3, rows: 5, column: 4, columns: 3 }), view(a), view(b));
    near(
      whole,
      tf.pad(tf.matMul<Matrix>(a, b), [
        [3, 1],
        [4, 1],
      ]),
    );
  });

  it('sums columns', () => {
    const x = randomMatrix(37, 27);
    near(columnSums(x), tf.sum(x, 0));
  });

  it('refuses shapes that do not fit, and tensors that it cannot read', () => {
    const [a, b] = [view(randomMatrix(3, 4)), view(randomMatrix(5, 3))];
    assert.throws(() => product(a, b), /internal: no product of 3 × 3 \(1\), 3 × 4 \(1\), 5 × 3 \(1\)/);
    const plus = { matrix: a, factor: 1 };
    assert.throws(() => product(b, a, { plus }), /internal: no product of 5 × 4/);
    assert.throws(() => view(tf.tensor2d([1, 2], [1, 2], 'int32')), /internal: a tensor of int32/);
  });

  it('attends and has the gradient like plain operations, with tokens of many tiles', () => {
    const [tokens, heads, headDim] = [70, 2, 12];
    const hidden = heads * headDim;
    const qkv = randomMatrix(tokens, 3 * hidden);
    const dOut = randomMatrix(tokens, hidden);
    const shape = { batch: 1, tokens, heads, headDim };
    const out = causalAttention(qkv, shape);
    const gradient = tf.grad((x) => causalAttention(x as Matrix, shape))(qkv, dOut) as Matrix;
    for (let head = 0; head < heads; head++) {
      const cut = (matrix: Matrix, part: number): number[][] =>
        tf.slice(matrix, [0, part * hidden + head * headDim], [tokens, headDim]).arraySync();
      const plain = plainAttention([cut(qkv, 0), cut(qkv, 1), cut(qkv, 2)], cut(dOut, 0));
      near(tf.tensor2d(cut(out, 0)), tf.tensor2d(plain.out), 1e-5);
      for (const [part, rows] of plain.gradients.entries()) {
        near(tf.tensor2d(cut(gradient, part)), tf.tensor2d(rows), 1e-5);
      }
    }
  });

  it('a result is a tensor like any other', () => {
    const before = tf.memory();
    const result = emptyMatrix(3, 5);
    assert.equal(tf.memory().numTensors, before.numTensors + 1);
    assert.equal(tf.memory().numBytes, before.numBytes + 60);
    result.dispose();
    assert.equal(tf.memory().numBytes, before.numBytes);
  });
});

describe('the memory of training', () => {
  before(startBackend);

  it('does not grow with the steps', async () => {
    for (const kind of ['adamw', 'muon'] as const) {
      const sizes: string[] = [];
      const settings = tinySettings({ optimizer: { ...tinySettings().optimizer, kind, steps: 6 } });
      await train(tinyText(), settings, initialState(settings), {
        onStep: () => {
          const { numBytes, numTensors, numDataBuffers } = tf.memory();
          sizes.push([numBytes, numTensors, numDataBuffers, tf.backend().numDataIds()].join(' '));
        },
      });
      assert.equal(new Set(sizes).size, 1, sizes.join(', '));
    }
  });

  it('shares clones, which tfjs disposes one by one', () => {
    const x = randomMatrix(2, 2);
    const data = x.dataSync();
    const copy = tf.clone(x);
    x.dispose();
    assert.deepEqual(copy.dataSync(), data);
    copy.dispose();
  });

  it('says how it multiplies', () => {
    assert.ok(['fused', 'separate'].includes(compiledMatmul().arithmetic));
  });
});
