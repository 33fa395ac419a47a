/**
 * @file Compares the tensors that a checkpoint holds twice: the head of a model whose head is its embedding.
 *
 * transformers takes one or the other, depending on its version; that makes no difference only where they are equal.
 */
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import type { Place } from '../../../ir/diagnostics/diagnostic.ts';
import type { WeightSource } from '../../../ir/index.ts';
import type { TensorCopy } from './tensors.ts';

/** Elements of each of the two that are held at a time. */
const CHUNK = 1 << 18;

/**
 * Reads the copies that are stored, and what they are copies of, up to the first difference; their shapes are equal.
 * @throws RadialError RC0255; RC0119 where a number is not finite
 */
export function compareCopies(weights: WeightSource, copies: readonly TensorCopy[], place: Place): void {
  for (const { copy, of } of copies) {
    if (weights.shape(copy.name) === undefined) continue;
    const element = firstDifference(weights, { copy, of });
    if (element === undefined) continue;
    fail(
      'RC0255',
      `config.json ties the head to the embedding, but "${copy.name}" is not "${of.name}": they differ from element ${element} on`,
      {
        place: { ...place, subject: `tensor "${copy.name}"` },
        help: `set "tie_word_embeddings": false in config.json to use the stored head, or remove "${copy.name}" to use the embedding`,
      },
    );
  }
}

function firstDifference(weights: WeightSource, { copy, of }: TensorCopy): number | undefined {
  const total = copy.shape.reduce((product, size) => product * size, 1);
  for (let from = 0; from < total; from += CHUNK) {
    const to = Math.min(from + CHUNK, total);
    const original = weights.read(of.name, from, to);
    const difference = weights.read(copy.name, from, to).findIndex((value, i) => value !== original[i]);
    if (difference >= 0) return from + difference;
  }
  return undefined;
}
