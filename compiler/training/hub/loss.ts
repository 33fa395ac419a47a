/** @file What training a model with a hub minimises: its own loss, under a budget of hops. */
import { noiseAt } from '../gates/loss.ts';
import type { RoutedLoss } from '../gates/loss.ts';
import type { RoutedSettings } from '../gates/settings.ts';
import type { Parameters } from '../model.ts';
import { crossEntropy } from '../ops.ts';
import { mixSeeds, seededRandom } from '../random.ts';
import type { Share, TrainSettings } from '../settings.ts';
import type { Leavings } from './entries.ts';
import { blockUsage, limited } from './limits.ts';
import type { HubSettings } from './settings.ts';
import { walk, walkAhead } from './walk.ts';
import type { WalkInput } from './walk.ts';

export type HubTrainSettings = TrainSettings & { readonly routed: RoutedSettings & { readonly hub: HubSettings } };

/** A worker's part of a step. */
interface Work {
  readonly share: Share;
  readonly step: number;
  readonly worker: number;
}

/** The passes without gradients. */
export function prepareHub(parameters: Parameters, settings: HubTrainSettings, work: Work): Leavings | undefined {
  return walkAhead(parameters, settings.shape, inputOf(settings, work), settings.routed.hub.passes);
}

/** @param before - what {@link prepareHub} found */
export function hubLoss(
  parameters: Parameters,
  settings: HubTrainSettings,
  work: Work,
  before: Leavings | undefined,
): RoutedLoss {
  const { shape, routed } = settings;
  const { config, targetDepth: target, budget, hub } = routed;
  const { ids, targets } = work.share.data;
  const { x, hops, parts } = walk(parameters, shape, { ...inputOf(settings, work), before });
  const { blocks, maxHops } = config;
  const limits = { tokens: ids.length, blocks, maxHops, target, budget, balance: hub.balance };
  const usage = blockUsage(hops, blocks);
  return {
    loss: limited(crossEntropy(parts.head(x), targets), hops, limits),
    measured: { depth: usage.hops / ids.length / maxHops, distance: 0, usage: usage.shares },
  };
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
