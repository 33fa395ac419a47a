/** @file Lets a model write: greedily, or by chance at a temperature. */
import * as tf from '@tensorflow/tfjs-core';
import { END_OF_TEXT } from './bpe.ts';
import { forward, parameterSpecs, parameterTensors } from './model.ts';
import type { ModelShape } from './model.ts';
import { seededRandom } from './random.ts';

export interface SampleOptions {
  /** Tokens to write; fewer when the text ends or the context is full. */
  readonly count: number;
  /** 0 takes the most likely token. */
  readonly temperature: number;
  readonly seed: number;
}

/**
 * Continues a prompt; each token costs a pass over the whole text, since there is no cache.
 * @param prompt ids, without the `</s>` that every text begins with
 * @returns the ids that follow
 */
export function sample(
  shape: ModelShape,
  flat: Float32Array,
  prompt: readonly number[],
  { count, temperature, seed }: SampleOptions,
): readonly number[] {
  const random = seededRandom(seed);
  const parameters = parameterTensors(parameterSpecs(shape), flat);
  const text = [END_OF_TEXT, ...prompt];
  const begin = text.length;
  while (text.length - begin < count && text.length < shape.context) {
    const logits = tf.tidy(() => {
      const all = forward(parameters, shape, { ids: Int32Array.from(text), batch: 1 });
      return all.dataSync<'float32'>().slice((text.length - 1) * shape.vocab);
    });
    const next = temperature === 0 ? mostLikely(logits) : draw(logits, temperature, random());
    if (next === END_OF_TEXT) break;
    text.push(next);
  }
  tf.dispose([...parameters.values()]);
  return text.slice(begin);
}

function mostLikely(logits: Float32Array): number {
  let best = 0;
  for (const [id, logit] of logits.entries()) if (logit > (logits[best] ?? 0)) best = id;
  return best;
}

/** The id at which the sum of the chances passes `point`, which is in [0, 1). */
function draw(logits: Float32Array, temperature: number, point: number): number {
  const highest = logits[mostLikely(logits)] ?? 0;
  const weights = Array.from(logits, (logit) => Math.exp((logit - highest) / temperature));
  let left = point * weights.reduce((sum, weight) => sum + weight, 0);
  for (const [id, weight] of weights.entries()) {
    left -= weight;
    if (left < 0) return id;
  }
  return weights.length - 1;
}
