/** @file Probabilities from logits, against numbers by hand. */
import assert from 'node:assert/strict';
import { divergence, natsOf, rowOf } from '../../../../compiler/routing/eval/logits.ts';

const row = (...logits: readonly number[]) => rowOf(Float32Array.from(logits));
const near = (found: number, expected: number): void => {
  assert.ok(Math.abs(found - expected) <= 1e-12 * Math.max(1, Math.abs(expected)), `${found}, not ${expected}`);
};

describe('a row of logits', () => {
  it('says how likely each token is', () => {
    const { log } = Math;
    near(natsOf(row(0, 0, 0, 0), 2), log(4));
    near(natsOf(row(1, 2), 0), log(1 + Math.E));
    near(natsOf(row(1, 2), 1), log(1 + 1 / Math.E));
  });

  it('is read in 64-bit floats, without overflow', () => {
    near(rowOf(new Float32Array(1_000_000).fill(3)).logSum, 3 + Math.log(1_000_000));
    near(natsOf(row(1024, 1024, -3e38), 0), Math.log(2));
    assert.equal(natsOf(row(-1000, 0), 0), 1000);
  });

  it('has a likeliest token, of equal ones the first', () => {
    assert.equal(row(-3, 7, 2, 7).top, 1);
    assert.equal(row(-Infinity, -5).top, 1);
  });

  it('tells that it is not finite', () => {
    for (const bad of [row(1, NaN), row(1, Infinity), row(-Infinity, -Infinity)]) {
      assert.ok(!Number.isFinite(bad.logSum), String(bad.logSum));
    }
    near(row(-Infinity, 4).logSum, 4);
  });
});

describe('the divergence of two rows', () => {
  it('is that of their probabilities', () => {
    // p = (1/2, 1/2), q = (1/4, 3/4).
    const expected = 0.5 * Math.log(2) + 0.5 * Math.log(2 / 3);
    assert.ok(Math.abs(divergence(row(0, 0), row(0, Math.log(3))) - expected) < 1e-7);
    assert.notEqual(divergence(row(0, Math.log(3)), row(0, 0)), expected);
  });

  it('is exactly nothing for equal rows, and never less', () => {
    const some = Float32Array.from({ length: 300 }, (_, i) => Math.sin(i * i) * 9);
    assert.equal(divergence(rowOf(some), rowOf(some.slice())), 0);
    assert.ok(divergence(rowOf(some), rowOf(some.map((value) => value + 1))) < 1e-6);
    assert.ok(divergence(rowOf(some), rowOf(some.map((value) => value + 1))) >= 0);
  });

  it('leaves out what the first one rules out, not what the second one does', () => {
    near(divergence(row(-Infinity, 0), row(0, 0)), Math.log(2));
    assert.equal(divergence(row(0, 0), row(-Infinity, 0)), Infinity);
  });
});
