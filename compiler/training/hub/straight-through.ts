/** @file The moves of a hop: rows get what their block adds, and the hub a gradient for having sent them there. */
import * as tf from '@tensorflow/tfjs-core';
import { elements, emptyMatrix } from '../matmul.ts';
import type { Matrix } from '../matmul.ts';
import { chancesOf } from './chances.ts';
import { addRows, copyOfRows, zeroMatrix } from '../rows.ts';

/** Rows that go to one block. */
export interface Move {
  readonly block: number;
  /** Among all tokens, ascending. */
  readonly rows: Int32Array;
  /** The same among those that are on their way, as in the scores. */
  readonly places: Int32Array;
  /** What the block adds, (rows, hidden). */
  readonly f: Matrix;
}

/**
 * x + f in the rows of each move. Backwards it is x + f · p / stop(p), p being the softmax of the scores at the chosen block
 * (straight-through), but the scores of rows that were not free get nothing.
 * @param x (all, hidden) @param scores (rows on their way, successors)
 */
export function makeMoves(x: Matrix, scores: Matrix, moves: readonly Move[], isFree: Uint8Array): Matrix {
  const columns = x.shape[1];
  const op = tf.customGrad((...inputs) => {
    const save = inputs[2 + moves.length] as unknown as tf.GradSaveFunc;
    const [input, given, ...branches] = inputs.slice(0, 2 + moves.length) as Matrix[];
    if (input === undefined || given === undefined) throw new Error('internal: no input');
    const value = emptyMatrix(...x.shape);
    const into = elements(value);
    into.set(elements(input));
    for (const [m, { rows }] of moves.entries()) addRows(elements(branches[m] ?? input), rows, into, columns);
    save([given, ...branches]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const [scoresThen, ...added] = saved as [Matrix, ...Matrix[]];
      const dScores = zeroMatrix(...scoresThen.shape);
      const [slopes, of] = [elements(dy), elements(dScores)];
      const values = elements(scoresThen);
      for (const [m, { block, rows, places }] of moves.entries()) {
        const f = elements(added[m] ?? scoresThen);
        for (const [i, row] of rows.entries()) {
          const place = places[i] ?? 0;
          if (isFree[place] === 0) continue;
          let worth = 0;
          for (let c = 0; c < columns; c++) worth += (slopes[row * columns + c] ?? 0) * (f[i * columns + c] ?? 0);
          softmaxSlope(values, of, { place, successors: scores.shape[1], chosen: block, worth });
        }
      }
      return [tf.reshape(dy, dy.shape), dScores, ...moves.map(({ rows }) => copyOfRows(dy as Matrix, rows))];
    };
    return { value, gradFunc };
  });
  return op(x, scores, ...moves.map(({ f }) => f));
}

interface Choice {
  readonly place: number;
  readonly successors: number;
  readonly chosen: number;
  readonly worth: number;
}

/** Sets the gradient of worth · ln p, p being the chance of the chosen successor. */
function softmaxSlope(scores: Float32Array, slopes: Float32Array, { place, successors, chosen, worth }: Choice): void {
  const chances = chancesOf(scores.subarray(place * successors, (place + 1) * successors), successors);
  for (let c = 0; c < successors; c++) {
    slopes[place * successors + c] = worth * ((c === chosen ? 1 : 0) - (chances[c] ?? 0));
  }
}
