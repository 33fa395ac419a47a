/** @file Measures a model with a hub as it will be run: decided without noise, by walks that know of one another. */
import * as tf from '@tensorflow/tfjs-core';
import type { RadialConfig } from '../../frontend/index.ts';
import { cutWindows, spreadWindows } from '../batches.ts';
import { createCollapseTally } from '../collapse.ts';
import type { EvaluationOptions } from '../evaluate.ts';
import type { RoutedEvaluation } from '../gates/evaluate.ts';
import type { ModelShape, Parameters } from '../model.ts';
import { crossEntropy } from '../ops.ts';
import { walk, walkAhead } from './walk.ts';
import type { Hop } from './hops.ts';

/**
 * The same windows as those of `evaluate`. `depth` is the mean of hops over the hop cap, `usage` the share of the tokens that
 * visit each block.
 * @param passes - before the one that is measured; exact if no less than tokens − 1
 */
export function evaluateHub(
  { shape, config }: { readonly shape: ModelShape; readonly config: RadialConfig },
  parameters: Parameters,
  text: Uint16Array,
  { tokens, batch, maxWindows, passes }: EvaluationOptions & { readonly passes: number },
): RoutedEvaluation {
  const starts = spreadWindows(text, tokens, maxWindows);
  const tally = createCollapseTally(config.blocks, config.maxHops);
  let nats = 0;
  for (let first = 0; first < starts.length; first += batch) {
    const part = starts.slice(first, first + batch);
    const { ids, targets } = cutWindows(text, part, tokens);
    nats += tf.tidy(() => {
      const input = { ids, batch: part.length, config };
      const before = walkAhead(parameters, shape, input, passes);
      const { x, hops, parts } = walk(parameters, shape, { ...input, before });
      for (const [row, path] of pathsOf(hops, ids.length, config.blocks).entries()) tally.add(row % tokens, path);
      return (crossEntropy(parts.head(x), targets).dataSync<'float32'>()[0] ?? NaN) * targets.length;
    });
  }
  const routes = tally.result();
  const loss = nats / (starts.length * tokens);
  return { loss, depth: routes.hops / config.maxHops, usage: tally.visits(), routes };
}

/** The blocks that each token visits, in order. */
export function pathsOf(hops: readonly Hop[], tokens: number, blocks: number): readonly (readonly number[])[] {
  const paths = Array.from({ length: tokens }, (): number[] => []);
  for (const { rows, choices } of hops) {
    for (const [i, row] of rows.entries()) if (choices[i] !== blocks) paths[row]?.push(choices[i] ?? NaN);
  }
  return paths;
}
