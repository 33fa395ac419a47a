/** @file Thresholds of budgets where gates are as sure as training makes them. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { openModel } from '../../../../compiler/cli/model.ts';
import { thresholdOfBudget } from '../../../../compiler/routing/study/budget.ts';
import type { RadialModel } from '../../../../runtime/index.ts';
import { checkpoint, scratch } from '../../cli/support.ts';

describe('the threshold of a budget', () => {
  const at = scratch();
  let model: RadialModel;
  before(async () => {
    await checkpoint(at('model'));
    writeFileSync(at('text.txt'), 'the cat sat on the other mat. '.repeat(20));
    model = await openModel(at('model'), {});
  });
  after(() => {
    model.dispose();
  });
  const signal = new AbortController().signal;

  /** Depth of a model whose gates say `logits` of the blocks, and for each token a tenth more than for the one before. */
  async function reached(logits: readonly number[], budget: number): Promise<{ depth: number; readings: number }> {
    const shares: number[] = [];
    let readings = 0;
    const depthAt = (threshold: number, tokens: number): readonly number[] =>
      Array.from({ length: tokens }, (_, i) => {
        const level = Math.log(threshold / (1 - threshold));
        return logits.filter((logit) => logit * (1 + i / 10) > level).length;
      });
    const gated: RadialModel = {
      ...model,
      forward: (ids, { threshold = 0.5 } = {}) => {
        readings++;
        return Promise.resolve({ logits: [], path: [], depth: depthAt(threshold, (ids as readonly number[]).length) });
      },
    };
    const subject = { path: at('model'), model: gated };
    const threshold = await thresholdOfBudget({
      ...{ subject, against: { path: at('model'), model }, budget, paths: [at('text.txt')], window: 40, maxTokens: 40 },
      ...{ signal, onProgress: (share) => shares.push(share) },
    });
    const sum = depthAt(threshold, 40).reduce((all, depth) => all + depth, 0);
    assert.deepEqual(
      shares,
      shares.toSorted((a, b) => a - b),
    );
    assert.equal(shares.at(-1), 1);
    return { depth: sum / 40, readings };
  }

  for (const logits of [
    [0.1, 0.2, 0.3, 0.4],
    [-16, -14, 5, 6],
    [-100, 4, 5, 6],
    [1, 2, 4, 6],
  ]) {
    it(`is found where gates say ${logits.join(', ')}`, async () => {
      for (const budget of [0.4, 0.7, 0.9]) {
        const { depth, readings } = await reached(logits, budget);
        assert.ok(readings <= 10);
        assert.ok(Math.abs(depth - 4 * budget) <= 0.1, `${depth}, not ${4 * budget}`);
      }
    });
  }

  it('is the one that comes nearest where gates do not reach the budget', async () => {
    assert.equal((await reached([1, 1, 200, 200], 0.3)).depth, 2);
    assert.deepEqual(await reached([1, 1, 1, 1], 1), { depth: 4, readings: 0 });
  });
});
