/** @file Batches are a function of seed and step, and go through the whole text. */
import assert from 'node:assert/strict';
import { batchesOf, cutWindows, joinTexts } from '../../../compiler/training/batches.ts';

const text = Uint16Array.from({ length: 200 }, (_, i) => 1000 + i);

describe('batches', () => {
  it('begin each sequence with </s> and ask for what follows', () => {
    const { ids, targets } = cutWindows(text, [3, 100], 4);
    assert.deepEqual([...ids], [2, 1003, 1004, 1005, 2, 1100, 1101, 1102]);
    assert.deepEqual([...targets], [1003, 1004, 1005, 1006, 1100, 1101, 1102, 1103]);
  });

  it('do not depend on which batches were asked for before', () => {
    const options = { batch: 3, tokens: 8, seed: 5 };
    const inOrder = batchesOf(text, options);
    const all = Array.from({ length: 20 }, (_, step) => inOrder(step));
    for (const step of [19, 0, 7]) assert.deepEqual(batchesOf(text, options)(step), all[step]);
  });

  it('take every window once in a pass, and in another order in the next', () => {
    const next = batchesOf(text, { batch: 4, tokens: 8, seed: 5 });
    const pass = (first: number): number[] =>
      Array.from({ length: 6 }, (_, i) => next(first + i).targets).flatMap((targets) =>
        [...targets].filter((_, i) => i % 8 === 0),
      );
    const [a, b] = [pass(0), pass(6)];
    assert.equal(new Set(a).size, 24);
    assert.equal(new Set(b).size, 24);
    assert.notDeepEqual(a, b);
  });

  it('come from texts that </s> begins', () => {
    assert.deepEqual([...joinTexts([[7, 8], [], [9]])], [2, 7, 8, 2, 2, 9]);
    assert.deepEqual([...joinTexts([[9]], 10)], [2, 9]);
  });

  it('RC0304: hold no token that the model has no embedding for', () => {
    assert.throws(() => joinTexts([[4, 10]], 10), /RC0304.*id 10, the model has 10 tokens/);
    assert.throws(() => joinTexts([[65536]]), /RC0304/);
  });
});
