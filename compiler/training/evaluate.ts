/** @file Measures a model on text that it was not trained on. */
import * as tf from '@tensorflow/tfjs-core';
import { cutWindows, spreadWindows } from './batches.ts';
import { forward, parameterSpecs, parameterTensors } from './model.ts';
import type { ModelShape } from './model.ts';
import { crossEntropy } from './ops.ts';

export interface EvaluationOptions {
  /** Tokens of one window. */
  readonly tokens: number;
  /** Windows that are computed at once. */
  readonly batch: number;
  /** Only so many windows, evenly spread over the text. */
  readonly maxWindows?: number;
}

export interface Evaluation {
  /** Nats per token. */
  readonly loss: number;
  /** Tokens that were predicted. */
  readonly count: number;
}

/**
 * Cuts the text into windows side by side; each is predicted from `</s>` and what comes before it in the window. What
 * is left at the end, less than a window, is not counted.
 */
export function evaluate(
  shape: ModelShape,
  flat: Float32Array,
  text: Uint16Array,
  options: EvaluationOptions,
): Evaluation {
  const { tokens, batch } = options;
  const starts = spreadWindows(text, tokens, options.maxWindows);
  const parameters = parameterTensors(parameterSpecs(shape), flat);
  let sum = 0;
  for (let first = 0; first < starts.length; first += batch) {
    const part = starts.slice(first, first + batch);
    const { ids, targets } = cutWindows(text, part, tokens);
    sum += tf.tidy(() => {
      const loss = crossEntropy(forward(parameters, shape, { ids, batch: part.length }), targets);
      return (loss.dataSync<'float32'>()[0] ?? Number.NaN) * targets.length;
    });
  }
  tf.dispose([...parameters.values()]);
  const count = starts.length * tokens;
  return { loss: sum / count, count };
}
