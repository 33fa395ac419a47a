/** @file The search for a threshold of a mean depth. */
import assert from 'node:assert/strict';
import { searchDepth } from '../../../compiler/routing/search.ts';
import type { DepthSearch, Reached } from '../../../compiler/routing/search.ts';
import { thresholdFor } from '../../../compiler/routing/study/matched.ts';

interface Found extends Reached {
  readonly tried: readonly number[];
}

async function found(depthAt: (threshold: number) => number, more: Partial<DepthSearch>): Promise<Found> {
  const tried: number[] = [];
  const reached = await searchDepth({
    ...{ target: 5, tolerance: 0.1, tries: 8, known: [], ends: [0, 1] },
    between: (low, high) => (low + high) / 2,
    measure: (threshold) => {
      tried.push(threshold);
      return Promise.resolve(depthAt(threshold));
    },
    ...more,
  });
  return { ...reached, tried };
}

describe('a search for a depth', () => {
  const line = (threshold: number): number => 8 * (1 - threshold);

  it('halves what is left, until it is near', async () => {
    assert.deepEqual(await found(line, {}), { threshold: 0.375, depth: 5, tried: [0.5, 0.25, 0.375] });
    const { depth, tried } = await found(line, { target: 3.3 });
    assert.ok(Math.abs(depth - 3.3) <= 0.1 && tried.length <= 8);
  });

  it('goes by what is known, and by a guess', async () => {
    const known = [0.2, 0.4].map((threshold) => ({ threshold, depth: line(threshold) }));
    assert.ok((await found(line, { known })).tried.every((threshold) => threshold > 0.2 && threshold < 0.4));
    assert.deepEqual((await found(line, { known, guess: 0.37 })).tried, [0.37]);
    assert.deepEqual((await found(line, { known, target: line(0.4) })).tried, []);
  });

  it('gives what comes nearest where nothing is near', async () => {
    const steps = (threshold: number): number => (threshold < 0.6 ? 8 : 2);
    assert.equal((await found(steps, { target: 4 })).depth, 2);
    const { depth, tried } = await found(() => 4, { target: 1 });
    assert.deepEqual([depth, tried.length], [4, 8]);
  });
});

describe('the threshold of a depth by the ratios of the dense run', () => {
  const windows = [[Float32Array.of(1, 4), Float32Array.of(3, 2)], [Float32Array.of(8, NaN)]];

  it('lies between the last ratio that is skipped and the next one; what has no ratio is executed', () => {
    assert.equal(thresholdFor(windows, 1), 3.5);
    assert.equal(thresholdFor(windows, 2), 0);
    assert.equal(thresholdFor(windows, 0), 12);
  });
});
