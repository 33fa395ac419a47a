/** @file What training a routed model minimises: its distance from the dense model or its own loss, and its depth. */
import * as tf from '@tensorflow/tfjs-core';
import { goalLoss, goalNats } from '../goal.ts';
import type { Goal } from '../goal.ts';
import type { Parameters } from '../model.ts';
import { mixSeeds, seededRandom } from '../random.ts';
import type { Share, TrainSettings } from '../settings.ts';
import { credit, drawTurns } from './credit.ts';
import { routedForward } from './model.ts';
import type { RoutedInput } from './model.ts';
import type { RoutedSettings } from './settings.ts';

/** What a step says of itself, beside its loss. */
export interface Measured {
  /** Mean share of the blocks that were executed. */
  readonly depth: number;
  /** Distance from the dense model, nats per token; of `joint` 0. */
  readonly distance: number;
  /** Share of the tokens that executed each gated block, in order. */
  readonly usage: readonly number[];
}

export interface RoutedLoss {
  readonly loss: tf.Scalar;
  readonly measured: Measured;
}

/** @param goal - in `distill` the predictions of the dense model */
export function routedLoss(
  parameters: Parameters,
  settings: TrainSettings & { readonly routed: RoutedSettings },
  { share, step, worker }: { readonly share: Share; readonly step: number; readonly worker: number },
  goal: Goal,
): RoutedLoss {
  const { shape, routed, seed } = settings;
  const { config, mode, budget } = routed;
  const { ids } = share.data;
  const scale = noiseAt(step, settings);
  const input: RoutedInput = {
    ids,
    batch: share.batch,
    config,
    isFixed: mode === 'distill',
    noise: (block) => logisticNoise(ids.length, scale, mixSeeds(seed, step, worker, block)),
  };
  const { logits, decisions } = routedForward(parameters, shape, input);
  const made = [...decisions.values()];
  const nats = goalNats(logits, goal);
  const turns = drawTurns(made, seededRandom(mixSeeds(seed, step, worker, 2 * shape.layers)));
  const turnedNats = tf.tidy(() =>
    goalNats(routedForward(parameters, shape, { ...input, turns: turns.gates }).logits, goal),
  );
  const usage = made.map(({ isOpen }) => isOpen.reduce((sum, open) => sum + Number(open), 0) / isOpen.length);
  const blocks = 2 * shape.layers;
  const depth = (usage.reduce((a, b) => a + b, 0) + blocks - made.length) / blocks;
  const over = depth - targetAt(step, routed, 1);
  const price = (2 * budget * over) / blocks;
  const distance = mode === 'joint' ? 0 : nats.reduce((sum, one) => sum + one, 0) / nats.length;
  const ofGates = credit(made, { turns, nats, turnedNats, price }, distance + budget * over ** 2);
  const loss = mode === 'joint' ? sum(goalLoss(logits, goal, nats), ofGates) : ofGates;
  return { loss, measured: { depth, usage, distance } };
}

/** Goes linearly from `first` over `anneal` steps. */
export function targetAt(step: number, { targetDepth, anneal }: RoutedSettings, first: number): number {
  return first + (targetDepth - first) * Math.min(1, (step + 1) / Math.max(1, anneal));
}

/** How large the noise is: 1 while the target falls, then falling to 0 at four fifths of what is left. */
export function noiseAt(
  step: number,
  { routed, optimizer }: TrainSettings & { readonly routed: RoutedSettings },
): number {
  const left = 0.8 * Math.max(1, optimizer.steps - routed.anneal);
  return Math.min(1, Math.max(0, 1 - (step - routed.anneal) / left));
}

/** Added to a logit, it is above 0 with the logit's probability (at scale 1). */
function logisticNoise(count: number, scale: number, seed: number): Float32Array {
  if (scale === 0) return new Float32Array(count);
  const random = seededRandom(seed);
  return Float32Array.from({ length: count }, () => {
    const u = Math.min(Math.max(random(), 1e-7), 1 - 1e-7);
    return scale * Math.log(u / (1 - u));
  });
}

function sum(a: tf.Scalar, b: tf.Scalar): tf.Scalar {
  const op = tf.customGrad((...inputs) => {
    const [left, right] = inputs as unknown as [tf.Scalar, tf.Scalar];
    const gradFunc = (dy: tf.Tensor): tf.Tensor[] => [tf.reshape(dy, dy.shape), tf.reshape(dy, dy.shape)];
    return { value: tf.add(left, right), gradFunc };
  });
  return op(a, b) as tf.Scalar;
}
