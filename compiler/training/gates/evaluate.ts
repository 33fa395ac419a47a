/** @file Measures a model with gates as it will be run: decided without noise. */
import * as tf from '@tensorflow/tfjs-core';
import type { RadialConfig } from '../../frontend/index.ts';
import { cutWindows, spreadWindows } from '../batches.ts';
import type { EvaluationOptions } from '../evaluate.ts';
import type { ModelShape, Parameters } from '../model.ts';
import { crossEntropy } from '../ops.ts';
import { routedForward } from './model.ts';

export interface RoutedEvaluation {
  /** Nats per token. */
  readonly loss: number;
  /** Mean share of the blocks that a token executes. */
  readonly depth: number;
  /** Share of the tokens that execute each gated block, in order. */
  readonly usage: readonly number[];
}

/** The same windows as those of `evaluate`. @param parameters - of the model and of its gates */
export function evaluateRouted(
  { shape, config }: { readonly shape: ModelShape; readonly config: RadialConfig },
  parameters: Parameters,
  text: Uint16Array,
  { tokens, batch, maxWindows }: EvaluationOptions,
): RoutedEvaluation {
  const starts = spreadWindows(text, tokens, maxWindows);
  const open = new Map<number, number>(config.gatedBlocks.map((block) => [block, 0]));
  let nats = 0;
  for (let first = 0; first < starts.length; first += batch) {
    const part = starts.slice(first, first + batch);
    const { ids, targets } = cutWindows(text, part, tokens);
    nats += tf.tidy(() => {
      const input = { ids, batch: part.length, config, isFixed: true, noise: () => new Float32Array(ids.length) };
      const { logits, decisions } = routedForward(parameters, shape, input);
      for (const [block, { isOpen }] of decisions) {
        open.set(block, (open.get(block) ?? 0) + isOpen.filter(Boolean).length);
      }
      return (crossEntropy(logits, targets).dataSync<'float32'>()[0] ?? NaN) * targets.length;
    });
  }
  const count = starts.length * tokens;
  const usage = [...open.values()].map((rows) => rows / count);
  const blocks = 2 * shape.layers;
  const depth = (usage.reduce((sum, share) => sum + share, 0) + blocks - usage.length) / blocks;
  return { loss: nats / count, depth, usage };
}
