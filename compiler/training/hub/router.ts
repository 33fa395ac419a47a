/** @file The hub as it is trained: its parameters, its scores, and what it chooses. */
import type { RadialConfig } from '../../frontend/index.ts';
import { unitRms } from '../gates/ops.ts';
import type { Matrix, Vector } from '../matmul.ts';
import { createSpecs, find } from '../model.ts';
import type { Parameters, ParameterSpec } from '../model.ts';
import { linear, relu } from '../ops.ts';
import { addEntry } from '../rows.ts';

const INNER_STD = 0.1;
/** What a new hub gives the planned successor; the others have 0. */
const FIRST_SCORE = 5;

/** The parameters of the hub, behind those of `before`; named as those of gates are, for the optimizer. */
export function hubSpecs(
  { hidden, hopEmbedding, maxHops, blocks }: RadialConfig,
  width: number,
  before: readonly ParameterSpec[] = [],
): readonly ParameterSpec[] {
  const { specs, add: addNamed } = createSpecs(before);
  const add = (name: string, shape: readonly number[], std: number): void => {
    addNamed(`gate.hub.${name}`, shape, std);
  };
  if (hidden > 0) {
    add('up', [width, hidden], INNER_STD);
    add('up_bias', [hidden], 0);
    if (hopEmbedding) add('hops', [maxHops, hidden], 0);
  }
  add('down', [hidden > 0 ? hidden : width, blocks + 1], 0);
  add('down_bias', [blocks + 1], 0);
  return specs;
}

/**
 * Makes all tokens go through the blocks in order, and around again, for so many hops. Each successor has an inner unit of its
 * own, which the hop embedding lights; the other units read the hidden state, and have no say yet.
 */
export function planFirstWalk(
  { hidden, maxHops, blocks, hopEmbedding }: RadialConfig,
  firstHops: number,
  { specs, flat }: { readonly specs: readonly ParameterSpec[]; readonly flat: Float32Array },
): void {
  const successors = blocks + 1;
  if (!hopEmbedding || hidden < successors) throw new Error('internal: a new hub plans by its hop embedding');
  const part = (name: string): Float32Array => {
    const spec = specs.find((one) => one.name === `gate.hub.${name}`);
    if (spec === undefined) throw new Error(`internal: no parameter ${name}`);
    return flat.subarray(spec.offset, spec.offset + spec.size);
  };
  const [up, hops, down] = [part('up'), part('hops'), part('down')];
  for (let i = 0; i < up.length; i++) if (i % hidden < successors) up[i] = 0;
  for (let hop = 0; hop < maxHops; hop++) hops[hop * hidden + (hop < firstHops ? hop % blocks : blocks)] = 1;
  for (let unit = 0; unit < successors; unit++) down[unit * successors + unit] = FIRST_SCORE;
}

/** The scores of rows that have made `hop` hops, as in `router.safetensors`: (rows, blocks + 1), the exit last. */
export function hubScores(parameters: Parameters, config: RadialConfig, x: Matrix, hop: number): Matrix {
  const matrix = (name: string): Matrix => find(parameters, `gate.hub.${name}`) as Matrix;
  const vector = (name: string): Vector => find(parameters, `gate.hub.${name}`) as Vector;
  let inner = unitRms(x);
  if (config.hidden > 0) {
    inner = linear(inner, matrix('up'), vector('up_bias'));
    if (config.hopEmbedding) inner = addEntry(inner, matrix('hops'), hop);
    inner = relu(inner);
  }
  return linear(inner, matrix('down'), vector('down_bias'));
}

/**
 * The successor with the highest score; of equal ones the first in the list, which begins with the block behind `from`.
 * @param scores - of all blocks and, last, of the exit @param from - the block that the token is at, −1 at the entry
 */
export function highest(scores: Float32Array, from: number): number {
  let best = from + 1;
  for (const [successor, score] of scores.entries()) if (score > (scores[best] ?? NaN)) best = successor;
  return best;
}
