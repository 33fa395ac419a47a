/** @file What a run is made of, and which part of a step's batch each of its workers computes. */
import { batchesOf } from './batches.ts';
import type { Batch } from './batches.ts';
import type { DropsBlock, ModelShape } from './model.ts';
import type { RoutedSettings } from './gates/settings.ts';
import type { OptimizerOptions } from './optimizer.ts';
import { mixSeeds, seededRandom } from './random.ts';

/** What determines the result of a run, together with the text. */
export interface TrainSettings {
  readonly shape: ModelShape;
  /** Sequences of one step; a multiple of `workers`. */
  readonly batch: number;
  /** Tokens of one sequence, at most the model's context. */
  readonly tokens: number;
  readonly seed: number;
  readonly optimizer: OptimizerOptions;
  /** The chance that the last block is left out of a step; earlier blocks in proportion to their depth. */
  readonly layerDrop: number;
  /** Besides `distill`: a model whose predictions are learnt too, with this weight of its part of the loss. */
  readonly teacher?: { readonly shape: ModelShape; readonly weight: number };
  /** Gates to train; absent for a dense model. */
  readonly routed?: RoutedSettings;
  /** Threads that share each batch. Sums are taken in another order for each number of them. */
  readonly workers: number;
}

/** What one worker computes in one step. */
export interface Share {
  readonly data: Batch;
  /** Sequences of it. */
  readonly batch: number;
  readonly drops: DropsBlock;
}

/** Returns the function from a step, counted from 0, and a worker to its share. */
export function sharesOf(text: Uint16Array, settings: TrainSettings): (step: number, worker: number) => Share {
  const { batch, tokens, seed, workers } = settings;
  const nextBatch = batchesOf(text, { batch, tokens, seed });
  const each = batch / workers;
  return (step, worker) => {
    const { ids, targets } = nextBatch(step);
    const [begin, end] = [worker * each * tokens, (worker + 1) * each * tokens];
    const data = { ids: ids.subarray(begin, end), targets: targets.subarray(begin, end) };
    return { data, batch: each, drops: dropsOf(settings, step) };
  };
}

/** Which blocks a step leaves out (stochastic depth; Huang et al., 2016), as a function of seed and step. */
function dropsOf({ shape, seed, layerDrop }: TrainSettings, step: number): DropsBlock {
  if (layerDrop === 0) return () => false;
  const random = seededRandom(mixSeeds(seed, step, shape.layers));
  const blocks = 2 * shape.layers;
  const dropped = Array.from({ length: blocks }, (_, block) => random() < (layerDrop * (block + 1)) / blocks);
  return (block) => dropped[block] === true;
}
