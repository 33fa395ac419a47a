/** @file What training a model with a hub minimises: its own loss or its distance from the dense model, under a budget of hops. */
import * as tf from '@tensorflow/tfjs-core';
import { noiseAt, targetAt } from '../gates/loss.ts';
import type { RoutedLoss } from '../gates/loss.ts';
import type { RoutedSettings } from '../gates/settings.ts';
import { goalLoss, goalNats } from '../goal.ts';
import type { Goal } from '../goal.ts';
import type { Matrix } from '../matmul.ts';
import type { Parameters } from '../model.ts';
import { mixSeeds, seededRandom } from '../random.ts';
import type { Share, TrainSettings } from '../settings.ts';
import { drawTurns } from './credit.ts';
import type { Leavings } from './entries.ts';
import { blockUsage, limited } from './limits.ts';
import type { HubSettings } from './settings.ts';
import { zeroMatrix } from '../rows.ts';
import { walk, walkAhead } from './walk.ts';
import type { Walked, WalkInput } from './walk.ts';

export type HubTrainSettings = TrainSettings & { readonly routed: RoutedSettings & { readonly hub: HubSettings } };

/** A worker's part of a step. */
interface Work {
  readonly share: Share;
  readonly step: number;
  readonly worker: number;
}

/** The passes that the gradient does not go through. */
export function prepareHub(parameters: Parameters, settings: HubTrainSettings, work: Work): Leavings | undefined {
  return walkAhead(
    parameters,
    settings.shape,
    inputOf(settings, work),
    settings.routed.hub.passes - settings.routed.hub.unroll,
  );
}

/** @param found - what {@link prepareHub} found, and what is trained towards */
export function hubLoss(
  parameters: Parameters,
  settings: HubTrainSettings,
  work: Work,
  { before, goal }: { readonly before: Leavings | undefined; readonly goal: Goal },
): RoutedLoss {
  const { shape, routed } = settings;
  const { config, mode, budget, hub } = routed;
  const { ids } = work.share.data;
  const input = inputOf(settings, work);
  const passes: Walked[] = [];
  while (passes.length < hub.unroll) {
    passes.push(walk(parameters, shape, { ...input, before: passes.at(-1)?.leavings ?? before }));
  }
  const last = { ...input, before: passes.at(-1)?.leavings ?? before };
  const { x, hops, parts, leavings } = walk(parameters, shape, last);
  const logits = parts.head(behind(x, passes));
  const turns = drawTurns(
    hops,
    ids.length,
    seededRandom(mixSeeds(settings.seed, work.step, work.worker, config.maxHops)),
  );
  const turnedNats = tf.tidy(() => {
    const turned = walk(parameters, shape, { ...last, turns, beside: leavings });
    return goalNats(turned.parts.head(turned.x), goal);
  });
  const { blocks, maxHops } = config;
  const target = targetAt(work.step, routed, hub.firstHops / maxHops);
  const limits = { tokens: ids.length, blocks, maxHops, target, budget, balance: hub.balance };
  const usage = blockUsage(hops, blocks);
  const nats = goalNats(logits, goal);
  return {
    loss: limited(goalLoss(logits, goal, nats), hops, limits, { turns, turnedNats, nats }),
    measured: {
      depth: usage.hops / ids.length / maxHops,
      distance: mode === 'joint' ? 0 : nats.reduce((sum, one) => sum + one, 0) / nats.length,
      usage: usage.shares,
    },
  };
}

/**
 * x, with tfjs made to compute the gradients of these passes too, after those of x: their visits then find what the later
 * pass has left them (see `attend.ts`), although no tensor leads there.
 */
function behind(x: Matrix, passes: readonly Walked[]): Matrix {
  if (passes.length === 0) return x;
  const op = tf.customGrad((...inputs) => {
    const [last] = inputs as unknown as [Matrix];
    const gradFunc = (dy: tf.Tensor): tf.Tensor[] => [
      tf.reshape(dy, dy.shape),
      ...passes.map(({ x: { shape } }) => zeroMatrix(...shape)),
    ];
    return { value: tf.reshape(last, last.shape), gradFunc };
  });
  return op(x, ...passes.map((pass) => pass.x)) as Matrix;
}

/** All passes of a step have the same noise. */
function inputOf(settings: HubTrainSettings, { share, step, worker }: Work): WalkInput {
  const { routed, seed } = settings;
  const { config, hub } = routed;
  const { ids } = share.data;
  const scale = hub.noise * noiseAt(step, settings);
  const noise = (hop: number): Float32Array =>
    gumbelNoise(ids.length * (config.blocks + 1), scale, mixSeeds(seed, step, worker, hop));
  return { ids, batch: share.batch, config, noise: scale === 0 ? undefined : noise };
}

/** The highest of scores with this added is drawn from their softmax (at scale 1). */
function gumbelNoise(count: number, scale: number, seed: number): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length: count }, () => -scale * Math.log(-Math.log(Math.max(random(), 1e-9))));
}
