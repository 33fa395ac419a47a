/**
 * @file A visit to an attention block: some rows leave their k and v there, and look at what earlier tokens left and at their
 * own. One tfjs operation with its own gradient.
 *
 * What is left, and its gradient, lie beside tfjs' tensors and are changed in place, so that a visit costs what its rows and
 * keys cost, however many tokens there are. It rests on the gradients of visits being computed in reverse order.
 *
 * Column `ends[r]` of the scores of query row r is its own (see `sight.ts`).
 */
import * as tf from '@tensorflow/tfjs-core';
import type { AttentionShape } from '../attention.ts';
import {
  causalSoftmax,
  causalSoftmaxGradient,
  causalStride,
  elements,
  emptyMatrix,
  multiply,
  partOf,
  transposed,
  view,
} from '../matmul.ts';
import type { Matrix, View } from '../matmul.ts';
import { copyRow, zeroMatrix } from '../rows.ts';
import type { Chunk, Sight } from './sight.ts';

/** What tokens have left at a block in one pass. */
export interface Entries {
  /** k and v of all tokens, (tokens, 2 · hidden). */
  readonly kv: Float32Array;
  /** The gradient of that, as far as it is known: from visits behind the one whose gradient is next. */
  slopes?: Float32Array;
}

export interface AttendInput {
  readonly shape: AttentionShape;
  readonly sight: Sight;
  /** Of the queries among all tokens. */
  readonly rows: Int32Array;
  /** Of this pass. */
  readonly live: Entries;
  /** Whether the rows leave nothing: `live` is then of a pass that has ended. */
  readonly isAside: boolean;
  /** Of the pass before; its visits have these gradients if they are computed after those here. */
  readonly before: Entries | undefined;
}

/** Changes `live`, unless aside; then there is no gradient. @param qkv (queries, 3 · hidden) @returns (queries, hidden) */
export function attend(qkv: Matrix, input: AttendInput): Matrix {
  const { shape, rows, live } = input;
  const queries = qkv.shape[0];
  const op = tf.customGrad((...inputs) => {
    const [own, save] = inputs as unknown as [Matrix, tf.GradSaveFunc];
    if (!input.isAside) leaveKv(own, input);
    const keys = gatherKeys(input);
    const chances = emptyMatrix(shape.heads * queries, causalStride(shape.tokens));
    const self = emptyMatrix(shape.heads, queries);
    const out = zeroMatrix(queries, shape.heads * shape.headDim);
    lookAround({ ...input, qkv: own, keys, chances, self }, out);
    save([own, keys, chances, self]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const [qkvThen, keysThen, chancesThen, selfThen] = saved as [Matrix, Matrix, Matrix, Matrix];
      const seen = { ...input, qkv: qkvThen, keys: keysThen, chances: chancesThen, self: selfThen };
      const [dQkv, dKeys] = attendGradient(seen, dy as Matrix);
      addSlopes(dKeys, input);
      dKeys.dispose();
      takeSlopes(dQkv, rows, slopesOf(live));
      return [dQkv];
    };
    return { value: out, gradFunc };
  });
  return op(qkv);
}

interface Looking {
  readonly shape: AttentionShape;
  readonly sight: Sight;
  readonly qkv: Matrix;
  /** (keys, 2 · hidden) */
  readonly keys: Matrix;
  /** (heads · queries, keys of a sequence); 0 in the column of the query itself */
  readonly chances: Matrix;
  /** (heads, queries), the chance of that */
  readonly self: Matrix;
}

function lookAround(looking: Looking, out: Matrix): void {
  const { shape, sight, qkv, keys, chances, self } = looking;
  const { heads, headDim } = shape;
  const hidden = heads * headDim;
  const scale = 1 / Math.sqrt(headDim);
  eachPart(looking, (part) => {
    if (part.count > 0) {
      multiply(part.columnsOf(chances), part.ofHead(qkv, 0), transposed(part.keyOf(keys, 0)), { scale });
    }
  });
  const [own, scores] = [elements(qkv), elements(chances)];
  eachSelf(looking, (at, row, head) => {
    scores[at] =
      scale * dotOf(own, row * 3 * hidden + head * headDim, row * 3 * hidden + hidden + head * headDim, headDim);
  });
  const ends = tf.tensor1d(sight.ends, 'int32');
  eachPart(looking, (part) => {
    causalSoftmax(part.scoresOf(chances), { ends, first: part.first });
  });
  ends.dispose();
  takeSelf(looking);
  eachPart(looking, (part) => {
    if (part.count > 0) multiply(part.ofHead(out, 0), part.columnsOf(chances), part.keyOf(keys, hidden));
  });
  const [values, context, chance] = [elements(qkv), elements(out), elements(self)];
  eachSelf(looking, (_, row, head, index) => {
    addScaled(
      chance[index] ?? 0,
      values,
      row * 3 * hidden + 2 * hidden + head * headDim,
      context,
      row * hidden + head * headDim,
      headDim,
    );
  });
}

/** Moves the chances of the queries themselves out of the matrix. */
function takeSelf(looking: Looking): void {
  const [scores, chance] = [elements(looking.chances), elements(looking.self)];
  eachSelf(looking, (at, _row, _head, index) => {
    chance[index] = scores[at] ?? 0;
    scores[at] = 0;
  });
}

/** d qkv and d keys: with P = softmax(S), dP = dO vᵀ and dS = P ∘ (dP − rowsum(P ∘ dP)). */
function attendGradient(looking: Looking, dOut: Matrix): [Matrix, Matrix] {
  const { shape, sight, qkv, keys, chances, self } = looking;
  const { heads, headDim } = shape;
  const hidden = heads * headDim;
  const scale = 1 / Math.sqrt(headDim);
  const [dQkv, dKeys] = [zeroMatrix(...qkv.shape), zeroMatrix(...keys.shape)];
  const slopes = emptyMatrix(...chances.shape);
  const ends = tf.tensor1d(sight.ends, 'int32');
  eachPart(looking, (part) => {
    if (part.count === 0) return;
    const [chance, dO, dV] = [part.columnsOf(chances), part.ofHead(dOut, 0), part.keyOf(dKeys, hidden)];
    multiply(dV, transposed(chance), dO, { plus: { matrix: dV, factor: 1 } });
    multiply(part.columnsOf(slopes), dO, transposed(part.keyOf(keys, hidden)));
  });
  const [own, dOwn, dO] = [elements(qkv), elements(dQkv), elements(dOut)];
  const [p, dp, chance] = [elements(chances), elements(slopes), elements(self)];
  eachSelf(looking, (at, row, head, index) => {
    p[at] = chance[index] ?? 0;
    const value = row * 3 * hidden + 2 * hidden + head * headDim;
    dp[at] = dotOf(own, value, row * hidden + head * headDim, headDim, dO);
    addScaled(chance[index] ?? 0, dO, row * hidden + head * headDim, dOwn, value, headDim);
  });
  eachPart(looking, (part) => {
    causalSoftmaxGradient(part.scoresOf(chances), part.scoresOf(slopes), { ends, first: part.first });
  });
  ends.dispose();
  const dSelf = new Float32Array(chance.length);
  eachSelf(looking, (at, _row, _head, index) => {
    dSelf[index] = scale * (dp[at] ?? 0);
    dp[at] = 0;
    p[at] = 0;
  });
  eachPart(looking, (part) => {
    if (part.count === 0) return;
    const [dScores, dK] = [part.columnsOf(slopes), part.keyOf(dKeys, 0)];
    multiply(part.ofHead(dQkv, 0), dScores, part.keyOf(keys, 0), { scale });
    multiply(dK, transposed(dScores), part.ofHead(qkv, 0), { scale, plus: { matrix: dK, factor: 1 } });
  });
  eachSelf(looking, (_at, row, head, index) => {
    const [q, k] = [row * 3 * hidden + head * headDim, row * 3 * hidden + hidden + head * headDim];
    addScaled(dSelf[index] ?? 0, own, k, dOwn, q, headDim);
    addScaled(dSelf[index] ?? 0, own, q, dOwn, k, headDim);
  });
  slopes.dispose();
  return [dQkv, dKeys];
}

/** One head of a chunk, and its views of the matrices. */
interface Part extends Chunk {
  /** Of a matrix of all heads, from a column on. */
  readonly ofHead: (matrix: Matrix, column: number) => View;
  /** The same of the keys that the chunk sees. */
  readonly keyOf: (matrix: Matrix, column: number) => View;
  /** The chunk's rows of the scores: the columns of keys, and all up to the last query's own. */
  readonly columnsOf: (scores: Matrix) => View;
  readonly scoresOf: (scores: Matrix) => View;
}

function eachPart({ shape, sight, qkv }: Looking, visit: (part: Part) => void): void {
  const { heads, headDim: columns } = shape;
  for (const chunk of sight.chunks) {
    const { first, last, key, count } = chunk;
    for (let head = 0; head < heads; head++) {
      const scoresOf = (scores: Matrix, width: number): View =>
        partOf(view(scores), { row: head * qkv.shape[0] + first, rows: last - first, columns: width });
      visit({
        ...chunk,
        ofHead: (matrix, column) =>
          partOf(view(matrix), { row: first, rows: last - first, column: column + head * columns, columns }),
        keyOf: (matrix, column) =>
          partOf(view(matrix), { row: key, rows: count, column: column + head * columns, columns }),
        columnsOf: (scores) => scoresOf(scores, count),
        scoresOf: (scores) => scoresOf(scores, count + 1),
      });
    }
  }
}

/** Visits each query in each head: where in the scores its own is, its row, its head, and both as one index. */
function eachSelf(
  { shape, sight, qkv, chances }: Looking,
  visit: (at: number, row: number, head: number, index: number) => void,
): void {
  const [queries, stride] = [qkv.shape[0], chances.shape[1]];
  for (let head = 0; head < shape.heads; head++) {
    for (let row = 0; row < queries; row++) {
      const index = head * queries + row;
      visit(index * stride + (sight.ends[row] ?? 0), row, head, index);
    }
  }
}

/** The k and v of the rows take the place of what they left before. */
function leaveKv(qkv: Matrix, { rows, live }: AttendInput): void {
  const [values, hidden] = [elements(qkv), qkv.shape[1] / 3];
  for (const [i, row] of rows.entries()) copyRow(values, (3 * i + 1) * hidden, live.kv, 2 * row * hidden, 2 * hidden);
}

function gatherKeys({ shape, sight, live, before }: AttendInput): Matrix {
  const width = 2 * shape.heads * shape.headDim;
  const keys = emptyMatrix(Math.max(1, sight.keys), width);
  const into = elements(keys);
  for (const { at, row, count, isLive } of sight.runs) {
    const values = (isLive || before === undefined ? live : before).kv;
    into.set(values.subarray(row * width, (row + count) * width), at * width);
  }
  return keys;
}

/** Adds the gradients of the keys to those of the entries that they are. */
function addSlopes(dKeys: Matrix, { sight, live, before }: AttendInput): void {
  const [from, width] = [elements(dKeys), dKeys.shape[1]];
  for (const { at, row, count, isLive } of sight.runs) {
    const slopes = slopesOf(isLive || before === undefined ? live : before);
    addScaled(1, from, at * width, slopes, row * width, count * width);
  }
}

function slopesOf(entries: Entries): Float32Array {
  return (entries.slopes ??= new Float32Array(entries.kv.length));
}

/** Moves the gradient of what the rows left on this visit to their q, k and v. */
function takeSlopes(dQkv: Matrix, rows: Int32Array, slopes: Float32Array): void {
  const [into, hidden] = [elements(dQkv), dQkv.shape[1] / 3];
  for (const [i, row] of rows.entries()) {
    const [at, width] = [2 * row * hidden, 2 * hidden];
    addScaled(1, slopes, at, into, (3 * i + 1) * hidden, width);
    slopes.fill(0, at, at + width);
  }
}

function dotOf(a: Float32Array, at: number, with_: number, count: number, b = a): number {
  let sum = 0;
  for (let c = 0; c < count; c++) sum += (a[at + c] ?? 0) * (b[with_ + c] ?? 0);
  return sum;
}

function addScaled(
  factor: number,
  from: Float32Array,
  at: number,
  into: Float32Array,
  to: number,
  count: number,
): void {
  for (let c = 0; c < count; c++) into[to + c] = (into[to + c] ?? 0) + factor * (from[at + c] ?? 0);
}
