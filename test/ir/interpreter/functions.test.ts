/** @file The double-precision functions against published values. */
import assert from 'node:assert/strict';
import { erfc } from '../../../ir/interpreter/functions.ts';
import { activationFunctions } from '../../../ir/interpreter/index.ts';

/** x, erfc(x): Abramowitz and Stegun, tables 7.1 and 7.3, and their continuation. */
const table = [
  [0, 1],
  [0.5, 0.4795001221869535],
  [1, 0.15729920705028513],
  [2, 0.004677734981047266],
  [2.4999, 4.0705e-4],
  [3, 2.209049699858544e-5],
  [5, 1.5374597944280347e-12],
  [-1, 1.8427007929497148],
  [30, 0],
] as const;

describe('erfc', () => {
  for (const [x, expected] of table) {
    it(`erfc(${x})`, () => {
      const tolerance = x === 2.4999 ? 1e-3 : 1e-12;
      assert.ok(Math.abs(erfc(x) - expected) <= tolerance * Math.max(expected, 1e-300), `${erfc(x)}`);
    });
  }

  it('is continuous where the series hands over to the fraction', () => {
    assert.ok(Math.abs(erfc(2.5 - 1e-12) - erfc(2.5)) < 1e-14);
  });
});

describe('activations of the interpreter', () => {
  it('the two forms of GELU differ as published: at most 5e-4', () => {
    let worst = 0;
    for (let x = -6; x <= 6; x += 0.01) {
      worst = Math.max(worst, Math.abs(activationFunctions.gelu(x) - activationFunctions.gelu_tanh(x)));
    }
    assert.ok(worst > 4e-4 && worst < 5e-4, `${worst}`);
  });

  it('silu(1) = 1 / (1 + 1/e)', () => {
    assert.ok(Math.abs(activationFunctions.silu(1) - 0.7310585786300049) < 1e-15);
  });
});
