/** @file Measures a model with gates as it will be run: decided without noise. */
import * as tf from '@tensorflow/tfjs-core';
import type { RadialConfig } from '../../frontend/index.ts';
import { cutWindows, spreadWindows } from '../batches.ts';
import { createCollapseTally } from '../collapse.ts';
import type { Collapse } from '../collapse.ts';
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
  /** Of all blocks. */
  readonly routes: Collapse;
}

/** The same windows as those of `evaluate`. @param parameters - of the model and of its gates */
export function evaluateRouted(
  { shape, config }: { readonly shape: ModelShape; readonly config: RadialConfig },
  parameters: Parameters,
  text: Uint16Array,
  { tokens, batch, maxWindows }: EvaluationOptions,
): RoutedEvaluation {
  const starts = spreadWindows(text, tokens, maxWindows);
  const blocks = Array.from({ length: 2 * shape.layers }, (_, block) => block);
  const tally = createCollapseTally(blocks.length, config.maxHops);
  let nats = 0;
  for (let first = 0; first < starts.length; first += batch) {
    const part = starts.slice(first, first + batch);
    const { ids, targets } = cutWindows(text, part, tokens);
    nats += tf.tidy(() => {
      const input = { ids, batch: part.length, config, isFixed: true, noise: () => new Float32Array(ids.length) };
      const { logits, decisions } = routedForward(parameters, shape, input);
      for (let row = 0; row < ids.length; row++) {
        const path = blocks.filter((block) => decisions.get(block)?.isOpen[row] !== false);
        tally.add(row % tokens, path);
      }
      return (crossEntropy(logits, targets).dataSync<'float32'>()[0] ?? NaN) * targets.length;
    });
  }
  const routes = tally.result();
  const visits = tally.visits();
  const usage = config.gatedBlocks.map((block) => visits[block] ?? NaN);
  return { loss: nats / (starts.length * tokens), depth: routes.hops / blocks.length, usage, routes };
}
