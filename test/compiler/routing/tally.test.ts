/** @file Counting ratios: buckets, exact sums whatever the order, and quantiles against sorted data. */
import assert from 'node:assert/strict';
import { BUCKETS, bucketOf, edge } from '../../../compiler/routing/profile/histogram.ts';
import { quantile, statisticsOf } from '../../../compiler/routing/profile/statistics.ts';
import { UNITS, addTally, count, createTally, finiteCount, sumOf } from '../../../compiler/routing/profile/tally.ts';
import type { Tally } from '../../../compiler/routing/profile/tally.ts';
import { createRandom } from '../../../ir/index.ts';

function tallyOf(ratios: readonly number[]): Tally {
  const tally = createTally();
  for (const ratio of ratios) count(tally, ratio);
  return tally;
}

/** Log-uniform from 2^-18 to 2^6. */
function randomRatios(length: number, seed: number): readonly number[] {
  const random = createRandom(seed);
  return Array.from({ length }, () => 2 ** ((random() / 2 ** 32) * 24 - 18));
}

/** As a file has it: what is still in `carry` is part of the sum. */
function settled(tally: Tally): object {
  return { ...tally, sum: sumOf(tally), carry: 0 };
}

describe('the buckets of ratios', () => {
  it('are 64 to the octave, with powers of two as edges', () => {
    assert.equal(BUCKETS, 2048);
    for (let octave = 0; octave <= 32; octave++) assert.equal(edge(64 * octave), 2 ** (octave - 20));
    for (let i = 0; i < BUCKETS; i++) {
      assert.ok(Math.abs(edge(i + 1) / edge(i) - 2 ** (1 / 64)) < 1e-14, String(i));
    }
  });

  it('hold what lies from their lower edge up to the next', () => {
    for (let i = 0; i < BUCKETS; i++) {
      assert.equal(bucketOf(edge(i)), i);
      assert.equal(bucketOf(edge(i) * (1 - 2 ** -52)), i - 1);
    }
    for (const [ratio, bucket] of [
      [2 ** -21, -1],
      [Number.MIN_VALUE, -1],
      [2 ** 12, BUCKETS],
      [1e300, BUCKETS],
    ] as const) {
      assert.equal(bucketOf(ratio), bucket);
    }
  });
});

describe('a tally', () => {
  it('keeps apart what has no bucket', () => {
    const tally = tallyOf([0, 0, 2 ** -30, 1e-40, 5000, 1e30, NaN, Infinity, 1]);
    const { zero, under, over, nonFinite, min, max } = tally;
    assert.deepEqual(
      { zero, under, over, nonFinite, min, max },
      { zero: 2, under: 2, over: 2, nonFinite: 2, min: 0, max: 1e30 },
    );
    assert.equal(tally.buckets[bucketOf(1)], 1);
    assert.equal(finiteCount(tally), 7);
  });

  it('has an exact sum, however large', () => {
    const ratios = [1e30, 2 ** -40, ...Array.from({ length: 10_000 }, () => 4095.5), 1e30, 0.75];
    const expected = 2n * BigInt(1e30) * BigInt(UNITS) + 1n + 10_000n * BigInt(4095.5 * UNITS) + BigInt(0.75 * UNITS);
    assert.equal(sumOf(tallyOf(ratios)), expected);
  });

  it('is the same for every order and every grouping', () => {
    const ratios = [...randomRatios(3000, 1), 0, NaN, 1e9, 1e-9];
    const whole = tallyOf(ratios);
    for (const parts of [2, 3, 7]) {
      const merged = createTally();
      for (let part = parts - 1; part >= 0; part--) {
        addTally(merged, tallyOf(ratios.filter((_, i) => i % parts === part).reverse()));
      }
      assert.deepEqual(settled(merged), settled(whole));
      assert.deepEqual(statisticsOf(merged), statisticsOf(whole));
    }
  });
});

describe('quantiles', () => {
  it('are within 1.1 % of those of the sorted ratios', () => {
    for (const [seed, length] of [1, 2, 10, 99, 5000].entries()) {
      const ratios = randomRatios(length, seed);
      const sorted = [...ratios].sort((a, b) => a - b);
      const tally = tallyOf(ratios);
      for (let percent = 0; percent <= 100; percent++) {
        const exact = sorted[Math.floor((percent / 100) * (length - 1))] ?? NaN;
        const found = quantile(tally, percent / 100);
        assert.ok(Math.abs(found / exact - 1) <= 0.011, `${percent} % of ${length}: ${found}, not ${exact}`);
      }
    }
  });

  it('are exact where all ratios are one, and at zero', () => {
    assert.deepEqual(statisticsOf(tallyOf([0.3, 0.3, 0.3])), {
      count: 3,
      mean: Math.round(0.3 * UNITS) / UNITS,
      min: 0.3,
      max: 0.3,
      median: 0.3,
      p1: 0.3,
      p5: 0.3,
      p25: 0.3,
      p75: 0.3,
      p95: 0.3,
      p99: 0.3,
    });
    const half = tallyOf([0, 0, 0, 1, 1]);
    assert.deepEqual([quantile(half, 0.5), quantile(half, 0.75)], [0, 1]);
  });

  it('stay between the extremes where there are no buckets', () => {
    const tally = tallyOf([2 ** -25, 2 ** -24, 5000, 6000, 7000]);
    assert.ok(quantile(tally, 0) >= 2 ** -25 && quantile(tally, 0) <= 2 ** -20);
    assert.ok(quantile(tally, 1) >= 5000 && quantile(tally, 1) <= 7000);
  });

  it('are nothing where nothing was counted', () => {
    assert.equal(statisticsOf(tallyOf([])), null);
    assert.equal(statisticsOf(tallyOf([NaN])), null);
    assert.ok(Number.isNaN(quantile(tallyOf([]), 0.5)));
  });
});
