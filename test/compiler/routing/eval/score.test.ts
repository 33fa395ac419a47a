/** @file The sums over tokens, by hand on tiny cases. */
import assert from 'node:assert/strict';
import { rowOf } from '../../../../compiler/routing/eval/logits.ts';
import {
  agreementOf,
  countToken,
  createScore,
  depthStatistics,
  qualityOf,
} from '../../../../compiler/routing/eval/score.ts';
import { RadialError } from '../../../../ir/index.ts';

const row = (...logits: readonly number[]) => rowOf(Float32Array.from(logits));
const fair = row(0, 0);
/** p = (1/4, 3/4), up to the rounding of its logits. */
const bent = row(0, Math.log(3));
const near = (found: number, expected: number): void => {
  assert.ok(Math.abs(found - expected) < 1e-7, `${found}, not ${expected}`);
};

describe('a score', () => {
  it('is the mean over the predictions', () => {
    const score = createScore();
    countToken(score, { row: fair, target: 0, depth: 4 });
    countToken(score, { row: bent, target: 0, depth: 1 });
    countToken(score, { row: bent, target: 1, depth: 1 });
    const { nats, perplexity, bitsPerByte, depth } = qualityOf(score, 6);
    near(nats, Math.log((2 * 4 * 4) / 3) / 3);
    near(perplexity, ((2 * 4 * 4) / 3) ** (1 / 3));
    near(bitsPerByte, Math.log2((2 * 4 * 4) / 3) / 6);
    assert.deepEqual(depth, { mean: 2, p50: 1, p95: 1, p99: 1 });
  });

  it('says how near the dense model is', () => {
    const score = createScore();
    countToken(score, { row: bent, target: 0, depth: 0, dense: bent });
    countToken(score, { row: bent, target: 0, depth: 0, dense: fair });
    const { kl, top1 } = agreementOf(score);
    near(kl, (0.5 * Math.log(2) + 0.5 * Math.log(2 / 3)) / 2);
    // Both of `fair` are equally likely, so its first token counts.
    assert.equal(top1, 0.5);
  });

  it('RC1226: of logits that are not finite there is none', () => {
    const refuse = (): void => {
      countToken(createScore(), { row: row(NaN, 0), target: 0, depth: 0 });
    };
    assert.throws(refuse, (error) => error instanceof RadialError && error.diagnostics[0]?.code === 'RC1226');
  });
});

describe('statistics of depths', () => {
  it('are those of the sorted depths', () => {
    const depths = [3, 0, 0, 0, 50, 40, 6, 1];
    const sorted = depths.flatMap((count, depth) => Array.from({ length: count }, () => depth));
    const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? NaN;
    assert.deepEqual(depthStatistics(depths), {
      mean: sorted.reduce((sum, depth) => sum + depth, 0) / 100,
      p50: at(0.5),
      p95: at(0.95),
      p99: at(0.99),
    });
    assert.deepEqual(depthStatistics([0, 1]), { mean: 1, p50: 1, p95: 1, p99: 1 });
  });
});
