/** @file Sampling is reproducible and has the distribution that it should have. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createRandom, createSampler, exp } from '../../runtime/sampler.ts';
import type { SamplerOptions } from '../../runtime/sampler.ts';

const options = (changes: Partial<SamplerOptions>): SamplerOptions => ({
  temperature: 1,
  topK: undefined,
  topP: undefined,
  seed: 1,
  ...changes,
});

/** How often each id is drawn. */
function counts(logits: readonly number[], changes: Partial<SamplerOptions>, draws = 4000): readonly number[] {
  const sample = createSampler(options(changes));
  const result = logits.map(() => 0);
  for (let i = 0; i < draws; i++) {
    const id = sample(Float32Array.from(logits));
    result[id] = (result[id] ?? 0) + 1;
  }
  return result;
}

describe('sampler', () => {
  it('is greedy at temperature 0, the lowest id first', () => {
    const greedy = createSampler(options({ temperature: 0 }));
    assert.equal(greedy(Float32Array.of(1, 3, 3, 2)), 1);
    assert.equal(greedy(Float32Array.of(NaN, -Infinity, -2)), 2);
    assert.equal(greedy(Float32Array.of(-Infinity, -Infinity)), 0);
    assert.equal(greedy(Float32Array.of(0, Infinity)), 1);
    assert.throws(() => greedy(Float32Array.of(NaN, NaN)), { code: 'RC0911' });
  });

  it('draws in proportion', () => {
    const [a = 0, b = 0, c = 0] = counts([Math.log(1), Math.log(2), Math.log(5)], {});
    assert.ok(
      Math.abs(a / 500 - 1) < 0.2 && Math.abs(b / 1000 - 1) < 0.15 && Math.abs(c / 2500 - 1) < 0.1,
      `${a} ${b} ${c}`,
    );
    const [d = 0, e = 0] = counts([0, Math.log(3)], { temperature: 0.5 });
    assert.ok(Math.abs(d / 400 - 1) < 0.25 && Math.abs(e / 3600 - 1) < 0.1, `${d} ${e}`);
  });

  it('keeps the k most likely, of equal ones those of lower id', () => {
    const [a, b, c, d] = counts([1, 2, 2, 2], { topK: 2 });
    assert.deepEqual([a, d], [0, 0]);
    assert.ok((b ?? 0) > 1500 && (c ?? 0) > 1500);
    assert.equal(counts([1, 2, 2, 2], { topK: 1 })[1], 4000);
    assert.ok(counts([1, 2], { topK: 99 }).every((count) => count > 0));
  });

  it('keeps the nucleus', () => {
    const logits = [0.1, 0.5, 0.25, 0.15].map(Math.log);
    assert.deepEqual(
      counts(logits, { topP: 0.7 }).map((count) => count > 0),
      [false, true, true, false],
    );
    assert.deepEqual(
      counts(logits, { topP: 0.76 }).map((count) => count > 0),
      [false, true, true, true],
    );
    assert.deepEqual(
      counts(logits, { topP: 0 }).map((count) => count > 0),
      [false, true, false, false],
    );
    assert.ok(counts(logits, { topP: 1 }).every((count) => count > 0));
    assert.deepEqual(
      counts(logits, { topK: 3, topP: 0.9 }).map((count) => count > 0),
      [false, true, true, true],
    );
  });

  it('never draws what is impossible', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.float(), fc.constant(-Infinity), fc.constant(NaN)), { minLength: 1, maxLength: 20 }),
        fc.record({ temperature: fc.double({ min: 0.01, max: 100, noNaN: true }), seed: fc.maxSafeNat() }),
        fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined }),
        fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
        (logits, base, topK, topP) => {
          fc.pre(logits.some((logit) => logit > -Infinity));
          const id = createSampler({ ...base, topK, topP })(Float32Array.from(logits));
          assert.ok((logits[id] ?? NaN) > -Infinity);
        },
      ),
    );
  });

  it('has a generator whose numbers are the same everywhere', () => {
    const take = (seed: number): readonly number[] => {
      const random = createRandom(seed);
      return Array.from({ length: 4 }, () => Math.floor(random() * 1000));
    };
    assert.deepEqual(take(0), [681, 593, 285, 46]);
    assert.notDeepEqual(take(1), take(2 ** 32 + 1));
    const random = createRandom(5);
    const mean = Array.from({ length: 10_000 }, random).reduce((sum, x) => sum + x / 10_000, 0);
    assert.ok(Math.abs(mean - 0.5) < 0.02);
  });

  it('has an exponential function that agrees with Math.exp', () => {
    fc.assert(
      fc.property(fc.double({ min: -690, max: 0, noNaN: true }), (x) => {
        assert.ok(Math.abs(exp(x) / Math.exp(x) - 1) < 4e-15);
      }),
    );
    assert.deepEqual([exp(0), exp(-Infinity), exp(-701), exp(NaN)], [1, 0, 0, 0]);
  });
});
