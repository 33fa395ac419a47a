/** @file What a hub's routes cost besides their predictions: hops beyond the budget, and blocks that are used unevenly. */
import * as tf from '@tensorflow/tfjs-core';
import type { Matrix } from '../matmul.ts';
import { elements } from '../matmul.ts';
import { chancesOf } from './chances.ts';
import { zeroMatrix } from '../rows.ts';
import { addCreditSlopes } from './credit.ts';
import type { Outcome } from './credit.ts';
import type { Hop } from './hops.ts';

export interface Limits {
  /** All of them. */
  readonly tokens: number;
  readonly blocks: number;
  readonly maxHops: number;
  /** Mean hops that are aimed at, as a share of `maxHops`. */
  readonly target: number;
  /** What the squared distance from it costs. */
  readonly budget: number;
  readonly balance: number;
}

/**
 * loss + budget · (d − target)² + balance · (Σ_b blocks · u_b · q_b − 1), with d the mean hops over `maxHops`, u_b the share of
 * hops that go to block b, and q_b the mean of what the hub gives it among the blocks (Fedus et al., 2021).
 *
 * d counts hops; its gradient is that of the hops that the hub's probabilities let expect along the walks, Σ_h Π_{k≤h} (1 −
 * p_k(exit)). u is constant. The gradient of the loss with respect to the scores is that of `outcome`.
 */
export function limited(loss: tf.Scalar, hops: readonly Hop[], limits: Limits, outcome?: Outcome): tf.Scalar {
  const { tokens, maxHops, target, budget, balance } = limits;
  const usage = blockUsage(hops, limits.blocks);
  const depth = usage.hops / tokens / maxHops;
  const slope = (2 * budget * (depth - target)) / (maxHops * tokens);
  const op = tf.customGrad((...inputs) => {
    const [given, ...rest] = inputs as [tf.Scalar, ...Matrix[]];
    const decisions = hops.map((hop, h): Decisions => ({
      ...hop,
      chances: chancesOf(elements(rest[h] ?? hop.scores), limits.blocks + 1),
    }));
    const value = tf.add<tf.Scalar>(given, budget * (depth - target) ** 2 + balance * evenLoss(decisions, usage));
    const gradFunc = (dy: tf.Tensor): tf.Tensor[] => {
      const [factor = NaN] = dy.dataSync<'float32'>();
      const slopes = hops.map(({ scores: { shape } }) => zeroMatrix(...shape));
      const into = slopes.map((matrix) => elements(matrix));
      addHopSlopes(decisions, into, { tokens, factor: factor * slope });
      addEvenSlopes(decisions, into, { usage, factor: factor * balance });
      if (outcome !== undefined) addCreditSlopes(decisions, into, outcome, factor / tokens);
      return [tf.reshape(dy, []), ...slopes];
    };
    return { value, gradFunc };
  });
  return op(loss, ...hops.map(({ scores }) => scores));
}

interface Decisions extends Omit<Hop, 'scores'> {
  /** The softmax of the scores, (rows, blocks + 1). */
  readonly chances: Float64Array;
}

export interface Usage {
  /** All that were made. */
  readonly hops: number;
  /** Those that the hub decided. */
  readonly decided: number;
  /** Of all hops, by block. */
  readonly shares: readonly number[];
}

export function blockUsage(hops: readonly Hop[], blocks: number): Usage {
  const counts = new Array<number>(blocks).fill(0);
  let decided = 0;
  for (const { choices, isFree } of hops) {
    for (const [i, choice] of choices.entries()) {
      if (choice < blocks) counts[choice] = (counts[choice] ?? 0) + 1;
      decided += isFree[i] ?? 0;
    }
  }
  const total = counts.reduce((sum, count) => sum + count, 0);
  return { hops: total, decided, shares: counts.map((count) => count / Math.max(1, total)) };
}

/** Adds factor · the gradient of the hops that are expected. */
function addHopSlopes(
  decisions: readonly Decisions[],
  slopes: readonly Float32Array[],
  { tokens, factor }: { readonly tokens: number; readonly factor: number },
): void {
  // How likely each token is to make this hop, and all before it; then the sum over this hop and those behind it.
  const alive = new Float64Array(tokens).fill(1);
  const reach = decisions.map(({ rows, chances, isFree }) => {
    const columns = chances.length / rows.length;
    return Float64Array.from(rows, (row, i) => {
      const leaves = isFree[i] === 0 ? 0 : (chances[(i + 1) * columns - 1] ?? NaN);
      return (alive[row] = (alive[row] ?? NaN) * (1 - leaves));
    });
  });
  const tail = new Float64Array(tokens);
  for (let h = decisions.length - 1; h >= 0; h--) {
    const { rows, isFree, chances } = decisions[h] as Decisions;
    const [into, columns] = [slopes[h] as Float32Array, chances.length / rows.length];
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] ?? NaN;
      tail[row] = (tail[row] ?? 0) + (reach[h]?.[i] ?? 0);
      if (isFree[i] === 0) continue;
      const [at, exit] = [i * columns, (i + 1) * columns - 1];
      const leaves = chances[exit] ?? NaN;
      const weight = factor * (tail[row] ?? 0) * leaves;
      const others = weight / Math.max(1e-9, 1 - leaves);
      for (let c = at; c < exit; c++) into[c] = (into[c] ?? 0) + others * (chances[c] ?? 0);
      into[exit] = (into[exit] ?? 0) - weight;
    }
  }
}

/** Σ_b blocks · u_b · q_b − 1: 0 where all blocks are used alike. */
function evenLoss(decisions: readonly Decisions[], usage: Usage): number {
  let sum = 0;
  eachDecision(decisions, usage, (_slope, _at, mean) => {
    sum += mean;
  });
  return usage.decided === 0 || usage.hops === 0 ? 0 : (usage.shares.length * sum) / usage.decided - 1;
}

function addEvenSlopes(
  decisions: readonly Decisions[],
  slopes: readonly Float32Array[],
  { usage, factor }: { readonly usage: Usage; readonly factor: number },
): void {
  const { shares, decided } = usage;
  if (factor === 0 || decided === 0) return;
  const weight = (factor * shares.length) / decided;
  eachDecision(decisions, usage, (h, at, mean, stays) => {
    const [into, chances] = [slopes[h] as Float32Array, decisions[h]?.chances];
    for (const [b, share] of shares.entries()) {
      into[at + b] = (into[at + b] ?? 0) + ((weight * (chances?.[at + b] ?? NaN)) / stays) * (share - mean);
    }
  });
}

/** Visits each decision: where its chances begin, Σ_b u_b · q_b of it, and the chance that it is not to leave. */
function eachDecision(
  decisions: readonly Decisions[],
  { shares }: Usage,
  visit: (hop: number, at: number, mean: number, stays: number) => void,
): void {
  for (const [h, { isFree, chances }] of decisions.entries()) {
    for (let i = 0; i < isFree.length; i++) {
      if (isFree[i] === 0) continue;
      const at = i * (shares.length + 1);
      let mean = 0;
      for (let b = 0; b < shares.length; b++) mean += (shares[b] ?? NaN) * (chances[at + b] ?? NaN);
      const stays = Math.max(1e-9, 1 - (chances[at + shares.length] ?? NaN));
      visit(h, at, mean / stays, stays);
    }
  }
}
