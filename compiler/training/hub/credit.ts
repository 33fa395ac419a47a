/**
 * @file What a hub learns from: what a token would have lost, had it once gone elsewhere.
 *
 * As for gates (`../gates/credit.ts`), the difference of the token's own loss is the slope of its expected loss with respect to
 * the share of the probability that moves from one successor to the other. All other tokens stay as they walked, so the
 * difference is the token's alone; what its route does to later tokens is left out.
 */
import type { Random } from '../random.ts';
import { chancesOf } from './chances.ts';
import type { Hop, Turns } from './hops.ts';

/** The more undecided a decision is, the more often it is drawn; then another successor, by the hub's probabilities. */
export function drawTurns(hops: readonly Hop[], tokens: number, random: Random): Turns {
  const turns = {
    hops: new Int16Array(tokens).fill(-1),
    successors: new Int16Array(tokens),
    weights: new Float64Array(tokens),
  };
  for (const [hop, { rows, scores, choices, isFree }] of hops.entries()) {
    const columns = scores.shape[1];
    const chances = chancesOf(scores.dataSync<'float32'>(), columns);
    for (const [i, row] of rows.entries()) {
      const chosen = choices[i] ?? NaN;
      const own = chances.subarray(i * columns, (i + 1) * columns);
      const chance = own[chosen] ?? NaN;
      const weight = chance * (1 - chance);
      if (isFree[i] === 0 || weight === 0) continue;
      const total = (turns.weights[row] = (turns.weights[row] ?? NaN) + weight);
      if (random() * total >= weight) continue;
      turns.hops[row] = hop;
      turns.successors[row] = another(own, chosen, random);
    }
  }
  return turns;
}

/** Drawn by the chances of all but one. */
function another(chances: Float64Array, chosen: number, random: Random): number {
  let left = random() * chances.reduce((sum, chance, c) => (c === chosen ? sum : sum + chance), 0);
  let last = chosen;
  for (const [c, chance] of chances.entries()) {
    if (c === chosen || chance === 0) continue;
    last = c;
    if (left < chance) break;
    left -= chance;
  }
  return last;
}

export interface Outcome {
  readonly turns: Turns;
  /** Nats of each token as it walked. */
  readonly nats: Float32Array;
  /** The same with its decision turned. */
  readonly turnedNats: Float32Array;
}

/** Adds to the slopes of the scores, hop by hop, factor · those of the expected nats. */
export function addCreditSlopes(
  hops: readonly Pick<Hop, 'rows' | 'choices'>[],
  slopes: readonly Float32Array[],
  { turns, nats, turnedNats }: Outcome,
  factor: number,
): void {
  for (const [hop, { rows, choices }] of hops.entries()) {
    const into = slopes[hop] ?? new Float32Array();
    const columns = into.length / rows.length;
    for (const [i, row] of rows.entries()) {
      if (turns.hops[row] !== hop) continue;
      const slope = factor * (turns.weights[row] ?? NaN) * ((turnedNats[row] ?? NaN) - (nats[row] ?? NaN));
      const [to, from] = [i * columns + (turns.successors[row] ?? NaN), i * columns + (choices[i] ?? NaN)];
      into[to] = (into[to] ?? NaN) + slope;
      into[from] = (into[from] ?? NaN) - slope;
    }
  }
}
