/** @file Routes that know nothing: their depth, their blocks; and how important a block is. */
import assert from 'node:assert/strict';
import { countsAround, exitWalk, randomWalks, staticWalk } from '../../../../compiler/routing/oracle/baselines.ts';
import { countNorms, createImportance, meanOf, ranked } from '../../../../compiler/routing/oracle/importance.ts';
import { createRandom } from '../../../../ir/index.ts';

const blocks = [0, 1, 2, 3, 4, 5, 6, 7];

describe('the random baseline', () => {
  const random = createRandom(7);
  const draws = Array.from({ length: 4000 }, () => Float64Array.from(blocks, () => random() / 2 ** 32));

  it('has the depth on average, with every block as often as any other', () => {
    const walks = randomWalks(blocks, 5.2, draws);
    // Ten standard deviations of the mean depth, seven of each share.
    assert.ok(Math.abs(walks.flat().length / walks.length - 5.2) < 0.22);
    for (const block of blocks) {
      const share = walks.filter((walk) => walk.includes(block)).length / walks.length;
      assert.ok(Math.abs(share - 5.2 / 8) < 0.053, `${block}: ${share}`);
    }
  });

  it('runs all blocks at full depth, none at depth 0, and grows with the depth', () => {
    assert.deepEqual(randomWalks(blocks, 8, draws)[0], blocks);
    assert.deepEqual(randomWalks(blocks, 0, draws).flat(), []);
    const [shallow, deep] = [randomWalks(blocks, 3, draws), randomWalks(blocks, 4, draws)];
    assert.ok(shallow.every((walk, token) => walk.every((block) => deep[token]?.includes(block))));
  });
});

describe('the static and the exit baseline', () => {
  it('keep the most important blocks, in order', () => {
    const ranking = [3, 0, 2, 1];
    assert.deepEqual(staticWalk(ranking, 4), [0, 1, 2, 3]);
    assert.deepEqual(staticWalk(ranking, 3), [0, 1, 2]);
    assert.deepEqual(staticWalk(ranking, 1), [1]);
    assert.deepEqual(staticWalk(ranking, 0), []);
  });

  it('leave after a number of blocks', () => {
    assert.deepEqual(exitWalk(blocks, 2), [0, 1]);
    assert.deepEqual(exitWalk(blocks, 8), blocks);
    assert.deepEqual(exitWalk(blocks, 0), []);
  });

  it('mix two counts over tokens to any depth', () => {
    for (const depth of [0, 2, 2.25, 5.5, 6.9, 8]) {
      const count = countsAround(depth);
      let executed = 0;
      for (let tokens = 1; tokens <= 1000; tokens++) {
        const given = count();
        assert.ok(given === Math.floor(depth) || given === Math.ceil(depth));
        executed += given;
        assert.ok(Math.abs(executed - depth * tokens) <= 0.5 + 1e-9, `${depth}: ${executed / tokens}`);
      }
    }
  });
});

describe('the importance of a block', () => {
  const norms = (pairs: readonly (readonly [readonly number[], readonly number[]])[]): Float32Array =>
    Float32Array.from(
      pairs.flatMap(([x, f]) => [Math.hypot(...x), Math.hypot(...f), Math.hypot(...x.map((v, i) => v + (f[i] ?? 0)))]),
    );

  it('is one minus the cosine between input and output, the mean over tokens', () => {
    const importance = createImportance([0, 1, 2]);
    countNorms(
      importance,
      norms([
        [
          [1, 0],
          [0, 1],
        ],
        [
          [3, 4],
          [6, 8],
        ],
        [
          [1, 0],
          [-2, 0],
        ],
      ]),
    );
    const [first = NaN, second = NaN, third = NaN] = importance.map(meanOf);
    assert.ok(Math.abs(first - (1 - Math.SQRT1_2)) < 1e-6);
    assert.ok(Math.abs(second) < 1e-6);
    assert.ok(Math.abs(third - 2) < 1e-6);
    countNorms(importance, Float32Array.of(1, 1, 2, 1, 1, 0, 0, 1, 1));
    // The first one did not turn this token; the others have no angle here.
    assert.ok(Math.abs(meanOf(importance[0] ?? { block: 0, sum: NaN, tokens: 1 }) - first / 2) < 1e-6);
    assert.deepEqual(
      importance.map(({ tokens }) => tokens),
      [2, 1, 1],
    );
    assert.deepEqual(ranked(importance), [1, 0, 2]);
  });

  it('ranks the later one of two equal blocks as the less important', () => {
    assert.deepEqual(ranked(createImportance([0, 1, 2])), [2, 1, 0]);
  });
});
