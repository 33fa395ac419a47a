/** @file The trigram model: probabilities that sum to 1 and prefer what was seen. */
import assert from 'node:assert/strict';
import { trainTrigram, trigramLoss } from '../../../compiler/training/trigram.ts';

const VOCAB = 12;
const text = Uint16Array.from({ length: 900 }, (_, i) => (i * i + Math.floor(i / 7)) % 10);

describe('the trigram model', () => {
  const model = trainTrigram(text, VOCAB);

  it('gives probabilities that sum to 1, in seen contexts and in unseen ones', () => {
    for (const [before, last] of [
      [0, 1],
      [4, 9],
      [11, 3],
      [11, 11],
      [3, 11],
    ] as const) {
      const all = Array.from({ length: VOCAB }, (_, token) => model.probability(before, last, token));
      assert.ok(all.every((p) => p > 0));
      assert.ok(Math.abs(all.reduce((sum, p) => sum + p, 0) - 1) < 1e-9, `after ${before}, ${last}`);
    }
  });

  it('is surer of text like that which it has counted', () => {
    const other = Uint16Array.from({ length: 900 }, (_, i) => (7 * i * i + 3 * i) % VOCAB);
    assert.ok(trigramLoss(model, text) < Math.log(10));
    assert.ok(trigramLoss(model, text) < trigramLoss(model, other));
  });

  it('discounts by what its singletons suggest', () => {
    // 0 1 2 and 0 1 3 once, 1 2 0 twice: the discount is 3 / (3 + 2).
    const tiny = trainTrigram(Uint16Array.of(0, 1, 2, 0, 1, 3), 4);
    const share = tiny.probability(0, 1, 2);
    assert.ok(share > 0 && share < 0.5);
    assert.ok(Math.abs(share - tiny.probability(0, 1, 3)) < 1e-12);
  });
});
