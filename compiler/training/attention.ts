/**
 * @file Causal multi-head attention as one tfjs operation with its own gradient.
 *
 * Each head is a view of the matrix of all heads: products read and write it in its place. Of a head's scores only the
 * lower triangle, where a token looks at itself or back, is computed.
 */
import * as tf from '@tensorflow/tfjs-core';
import {
  causalSoftmax,
  causalSoftmaxGradient,
  causalStride,
  emptyMatrix,
  multiply,
  partOf,
  transposed,
  view,
} from './matmul.ts';
import type { Matrix, View } from './matmul.ts';
import { zeroMatrix } from './rows.ts';

export interface AttentionShape {
  readonly batch: number;
  /** Per sequence. */
  readonly tokens: number;
  readonly heads: number;
  readonly headDim: number;
}

/** One head of one sequence, among all of them. */
interface Head {
  readonly index: number;
  readonly sequence: number;
  /** Within the sequence. */
  readonly head: number;
  /** Tokens of the sequence that look. */
  readonly length: number;
}

/** Who sees and who looks. */
export interface Looks {
  /** Of each token, whether it and later ones see it; the rows of tokens that see nothing are finite, no more. */
  readonly seen?: readonly boolean[] | undefined;
  /** Of each sequence, how many of its first tokens look; the rows of others are 0. Without, all do. */
  readonly lengths?: readonly number[] | undefined;
}

/** Added to the score of a token that is not to be seen: its chance is zero where another one is seen. */
const UNSEEN = -1e9;

/**
 * softmax(q kᵀ / √headDim) v for each sequence and head, each token attending to itself and what came before.
 * @param qkv (batch · tokens, 3 · hidden): q, k and v side by side
 * @returns (batch · tokens, hidden)
 */
export function causalAttention(qkv: Matrix, shape: AttentionShape, { seen, lengths }: Looks = {}): Matrix {
  const { batch, tokens, heads, headDim } = shape;
  const op = tf.customGrad((...inputs) => {
    const [fused, save] = inputs as unknown as [Matrix, tf.GradSaveFunc];
    const chances = emptyMatrix(batch * heads * tokens, causalStride(tokens));
    const out = zeroMatrix(batch * tokens, heads * headDim);
    const unseen =
      seen &&
      tf.tensor2d(
        seen.map((is) => (is ? 0 : UNSEEN)),
        [1, batch * tokens],
      );
    for (const head of headsOf(shape, lengths)) {
      const [q, k, v] = headParts(fused, head, shape);
      const chance = squareOf(chances, head.index, shape, head.length);
      const plus = unseen && { matrix: repeatedPart(unseen, head.sequence * tokens, head.length), factor: 1 };
      multiply(chance, q, transposed(k), { scale: 1 / Math.sqrt(headDim), causal: 'result', ...(plus && { plus }) });
      causalSoftmax(chance);
      multiply(headPart(out, head, shape), chance, v, { causal: 'left' });
    }
    unseen?.dispose();
    save([fused, chances]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const [input, weights] = saved as [Matrix, Matrix];
      return [attentionGradient(shape, { qkv: input, chances: weights, dOut: dy as Matrix, lengths })];
    };
    return { value: out, gradFunc };
  });
  return op(qkv);
}

interface Recorded {
  readonly qkv: Matrix;
  /** softmax(q kᵀ / √headDim), head after head. */
  readonly chances: Matrix;
  readonly dOut: Matrix;
  readonly lengths: Looks['lengths'];
}

/** d qkv: with P = softmax(S), dP = dO vᵀ and dS = P ∘ (dP − rowsum(P ∘ dP)). */
function attentionGradient(shape: AttentionShape, { qkv, chances, dOut, lengths }: Recorded): Matrix {
  const { tokens, headDim } = shape;
  const scale = 1 / Math.sqrt(headDim);
  const gradient = zeroMatrix(...qkv.shape);
  const square = emptyMatrix(tokens, causalStride(tokens));
  for (const head of headsOf(shape, lengths)) {
    const [q, k, v] = headParts(qkv, head, shape);
    const [dQ, dK, dV] = headParts(gradient, head, shape);
    const dO = headPart(dOut, head, shape);
    const chance = squareOf(chances, head.index, shape, head.length);
    const dScores = squareOf(square, 0, shape, head.length);
    multiply(dV, transposed(chance), dO, { causal: 'leftTransposed' });
    multiply(dScores, dO, transposed(v), { causal: 'result' });
    causalSoftmaxGradient(chance, dScores);
    multiply(dQ, dScores, k, { scale, causal: 'left' });
    multiply(dK, transposed(dScores), q, { scale, causal: 'leftTransposed' });
  }
  square.dispose();
  return gradient;
}

/** Columns of a single row, as a square of equal rows. */
function repeatedPart(row: Matrix, column: number, tokens: number): View {
  return { ...partOf(view(row), { column, columns: tokens }), rows: tokens, rowStride: 0 };
}

/** Sequence by sequence, of those where a token looks. */
function headsOf({ batch, heads, tokens }: AttentionShape, lengths: Looks['lengths']): readonly Head[] {
  const all = Array.from({ length: batch * heads }, (_, index): Head => {
    const sequence = Math.floor(index / heads);
    return { index, sequence, head: index % heads, length: lengths?.[sequence] ?? tokens };
  });
  return all.filter(({ length }) => length > 0);
}

/** The (length, headDim) of a head in a matrix of all heads, from the given column on. */
function headPart(
  matrix: Matrix,
  { sequence, head, length }: Head,
  { tokens, headDim }: AttentionShape,
  column = 0,
): View {
  const place = { row: sequence * tokens, rows: length, column: column + head * headDim, columns: headDim };
  return partOf(view(matrix), place);
}

/** A head's q, k and v, or their gradients, in the fused matrix. */
function headParts(fused: Matrix, head: Head, shape: AttentionShape): readonly [View, View, View] {
  const hidden = shape.heads * shape.headDim;
  const part = (index: number): View => headPart(fused, head, shape, index * hidden);
  return [part(0), part(1), part(2)];
}

/** The first (length, length) of the index-th (tokens, tokens) of a matrix that holds them one after the other. */
function squareOf(matrix: Matrix, index: number, { tokens }: AttentionShape, length: number): View {
  return partOf(view(matrix), { row: index * tokens, rows: length, columns: length });
}
