/**
 * @file Causal multi-head attention as one tfjs operation with its own gradient.
 *
 * Heads are cut out in plain JavaScript (tfjs-wasm copies a whole tensor to cut a piece of it), each in the orientation
 * that its products need, so that nothing is transposed and every product is of two plain matrices.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Matrix } from './ops.ts';

export interface AttentionShape {
  readonly batch: number;
  /** Per sequence. */
  readonly tokens: number;
  readonly heads: number;
  readonly headDim: number;
}

/** One head of one sequence. */
interface Head {
  readonly tokens: number;
  readonly headDim: number;
  /** Of the sequence, among all rows. */
  readonly firstRow: number;
  /** Of the head, within `hidden` columns. */
  readonly firstColumn: number;
}

/** A matrix of all heads, or a part of one: q, k and v are `hidden` columns each of the fused matrix. */
interface Part {
  readonly values: Float32Array;
  /** Where the part begins in a row. */
  readonly column: number;
  /** The length of a row. */
  readonly stride: number;
}

/**
 * softmax(q kᵀ / √headDim) v for each sequence and head, each token attending to itself and what came before.
 * @param qkv (batch · tokens, 3 · hidden): q, k and v side by side
 * @returns (batch · tokens, hidden)
 */
export function causalAttention(qkv: Matrix, shape: AttentionShape): Matrix {
  const { batch, tokens, heads, headDim } = shape;
  const hidden = heads * headDim;
  const scale = 1 / Math.sqrt(headDim);
  const op = tf.customGrad((...inputs) => {
    const [fused, save] = inputs as unknown as [Matrix, tf.GradSaveFunc];
    const values = fused.dataSync<'float32'>();
    const [q, k, v] = fusedParts(values, hidden);
    const out = { values: new Float32Array(batch * tokens * hidden), column: 0, stride: hidden };
    const mask = causalMask(tokens);
    const chances = headsOf(shape).map((head) => {
      const chance = tf.tidy(() => {
        const scores = tf.matMul(cut(head, q, scale), cutTransposed(head, k));
        return tf.softmax(tf.add<Matrix>(scores, mask));
      });
      paste(head, out, tf.matMul(chance, cut(head, v)));
      return chance;
    });
    save(chances);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const dOut = { ...out, values: dy.dataSync<'float32'>() };
      return [attentionGradient(shape, { values, out, dOut, chances: saved as Matrix[] })];
    };
    return { value: tf.tensor2d(out.values, [batch * tokens, hidden]), gradFunc };
  });
  return op(qkv);
}

interface Recorded {
  /** Of the fused matrix. */
  readonly values: Float32Array;
  readonly out: Part;
  readonly dOut: Part;
  /** softmax(q kᵀ / √headDim) of each head: (tokens, tokens). */
  readonly chances: readonly Matrix[];
}

/** d qkv: with P = softmax(S), dS = P ∘ (dO vᵀ − rowsum(dO ∘ O)); the row sum is that of P ∘ dP (FlashAttention). */
function attentionGradient(shape: AttentionShape, { values, out, dOut, chances }: Recorded): Matrix {
  const { batch, tokens, heads, headDim } = shape;
  const hidden = heads * headDim;
  const scale = 1 / Math.sqrt(headDim);
  const [q, k, v] = fusedParts(values, hidden);
  const gradient = new Float32Array(values.length);
  const [dQ, dK, dV] = fusedParts(gradient, hidden);
  for (const [i, head] of headsOf(shape).entries()) {
    const chance = chances[i];
    if (chance === undefined) throw new Error('internal: a head without chances');
    tf.tidy(() => {
      const dChance = tf.matMul(cut(head, dOut), cutTransposed(head, v));
      const dScores = tf.mul<Matrix>(chance, tf.sub(dChance, rowProducts(head, dOut, out)));
      paste(head, dQ, tf.matMul(dScores, cut(head, k, scale)));
      pasteTransposed(head, dK, tf.matMul(cutTransposed(head, q, scale), dScores));
      pasteTransposed(head, dV, tf.matMul(cutTransposed(head, dOut), chance));
    });
  }
  return tf.tensor2d(gradient, [batch * tokens, 3 * hidden]);
}

function fusedParts(values: Float32Array, hidden: number): readonly [Part, Part, Part] {
  const part = (index: number): Part => ({ values, column: index * hidden, stride: 3 * hidden });
  return [part(0), part(1), part(2)];
}

/** Sequence by sequence. */
function headsOf({ batch, tokens, heads, headDim }: AttentionShape): readonly Head[] {
  return Array.from({ length: batch * heads }, (_, i) => ({
    tokens,
    headDim,
    firstRow: Math.floor(i / heads) * tokens,
    firstColumn: (i % heads) * headDim,
  }));
}

/** 0 where a token may look, a very negative number where it may not. */
function causalMask(tokens: number): Matrix {
  const mask = new Float32Array(tokens * tokens);
  for (let row = 0; row < tokens; row++) mask.fill(-1e9, row * tokens + row + 1, (row + 1) * tokens);
  return tf.tensor2d(mask, [tokens, tokens]);
}

function firstIndex({ firstRow, firstColumn }: Head, { column, stride }: Part): number {
  return firstRow * stride + column + firstColumn;
}

/** One head, times `scale`: (tokens, headDim). */
function cut(head: Head, part: Part, scale = 1): Matrix {
  const { tokens, headDim } = head;
  const piece = new Float32Array(tokens * headDim);
  let from = firstIndex(head, part);
  for (let t = 0; t < tokens; t++, from += part.stride) {
    for (let d = 0; d < headDim; d++) piece[t * headDim + d] = scale * (part.values[from + d] ?? 0);
  }
  return tf.tensor2d(piece, [tokens, headDim]);
}

/** The same, transposed: (headDim, tokens). */
function cutTransposed(head: Head, part: Part, scale = 1): Matrix {
  const { tokens, headDim } = head;
  const piece = new Float32Array(tokens * headDim);
  let from = firstIndex(head, part);
  for (let t = 0; t < tokens; t++, from += part.stride) {
    for (let d = 0; d < headDim; d++) piece[d * tokens + t] = scale * (part.values[from + d] ?? 0);
  }
  return tf.tensor2d(piece, [headDim, tokens]);
}

/** Puts a head's (tokens, headDim) in its place. */
function paste(head: Head, part: Part, piece: Matrix): void {
  const { tokens, headDim } = head;
  const values = piece.dataSync<'float32'>();
  let to = firstIndex(head, part);
  for (let t = 0; t < tokens; t++, to += part.stride) {
    for (let d = 0; d < headDim; d++) part.values[to + d] = values[t * headDim + d] ?? 0;
  }
}

/** Puts a head's (headDim, tokens) in its place. */
function pasteTransposed(head: Head, part: Part, piece: Matrix): void {
  const { tokens, headDim } = head;
  const values = piece.dataSync<'float32'>();
  let to = firstIndex(head, part);
  for (let t = 0; t < tokens; t++, to += part.stride) {
    for (let d = 0; d < headDim; d++) part.values[to + d] = values[d * tokens + t] ?? 0;
  }
}

/** For each token the scalar product of two matrices' rows within one head: (tokens, 1). */
function rowProducts(head: Head, a: Part, b: Part): Matrix {
  const { tokens, headDim } = head;
  const sums = new Float32Array(tokens);
  let from = firstIndex(head, a);
  for (let t = 0; t < tokens; t++, from += a.stride) {
    let sum = 0;
    for (let d = 0; d < headDim; d++) sum += (a.values[from + d] ?? 0) * (b.values[from + d] ?? 0);
    sums[t] = sum;
  }
  return tf.tensor2d(sums, [tokens, 1]);
}
