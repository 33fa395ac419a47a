/**
 * @file What a gate learns from: what a token would have lost with one of its decisions turned.
 *
 * A batch runs twice with the same noise: as its gates decide, and with one decision of each token turned, after which the
 * gates decide again. The difference of the token's own loss, open against closed, is the slope of its expected loss with
 * respect to the probability of that decision. Unlike the straight-through gradient, which takes a block's first-order
 * effect for its effect, it is right for a closed gate too; what it leaves out is what a token's route does to later tokens.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Matrix } from '../matmul.ts';
import type { Random } from '../random.ts';
import type { Decision } from './ops.ts';

/** The decisions of one batch, gate after gate. */
type Decisions = readonly Decision[];

/** For each row the gate, by index, whose decision is turned, and one over the chance that it was drawn with, times its slope. */
export interface Turns {
  /** -1 where no gate is free. */
  readonly gates: Int32Array;
  readonly weights: Float32Array;
}

/** Draws a gate for each row: the more undecided a gate is, the more often. */
export function drawTurns(decisions: Decisions, random: Random): Turns {
  const slopes = decisions.map(slopesOf);
  const rows = slopes[0]?.length ?? 0;
  const turns = { gates: new Int32Array(rows).fill(-1), weights: new Float32Array(rows) };
  for (let row = 0; row < rows; row++) {
    const total = slopes.reduce((sum, slope) => sum + (slope[row] ?? 0), 0);
    let left = random() * total;
    turns.weights[row] = total;
    if (total > 0) turns.gates[row] = slopes.findLastIndex((slope) => (slope[row] ?? 0) > 0);
    for (const [gate, slope] of slopes.entries()) {
      const own = slope[row] ?? 0;
      if (own > 0 && left < own) {
        turns.gates[row] = gate;
        break;
      }
      left -= own;
    }
  }
  return turns;
}

/** p (1 − p) of each row, p being the probability that the gate is open; 0 where the row has no choice. */
function slopesOf({ score, isFree }: Decision): Float32Array {
  return score.dataSync<'float32'>().map((value, row) => {
    const chance = 1 / (1 + Math.exp(-value));
    return isFree(row) ? chance * (1 - chance) : 0;
  });
}

export interface Outcome {
  readonly turns: Turns;
  /** Nats of each row as it was decided. */
  readonly nats: Float32Array;
  /** The same with its decision turned. */
  readonly turnedNats: Float32Array;
  /** What executing one block costs a row, in nats. */
  readonly price: number;
}

/**
 * A scalar of the given value, whose gradient goes to the scores: that of the mean over rows of expected nats and price.
 */
export function credit(decisions: Decisions, { turns, nats, turnedNats, price }: Outcome, value: number): tf.Scalar {
  const rows = nats.length;
  const gradients = decisions.map((decision, gate) => {
    const slopes = slopesOf(decision);
    return slopes.map((slope, row) => {
      const own = turns.gates[row] === gate;
      const turned = (turnedNats[row] ?? 0) - (nats[row] ?? 0);
      const open = decision.isOpen[row] === true ? -turned : turned;
      return (slope * price + (own ? (turns.weights[row] ?? 0) * open : 0)) / rows;
    });
  });
  const op = tf.customGrad(() => ({
    value: tf.scalar(value),
    gradFunc: (dy: tf.Tensor) => gradients.map((gradient) => tf.mul(tf.tensor2d(gradient, [rows, 1]), dy)),
  }));
  return op(...decisions.map(({ score }): Matrix => score)) as tf.Scalar;
}
