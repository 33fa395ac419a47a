/** @file Rows on a grid of whole numbers: as near as the grid allows, and sums that fit. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { INT8_MOST, inputLevels, LEAST_PEAK, roundRow } from '../../ir/index.ts';

const rows = fc.float32Array({ minLength: 1, maxLength: 40, noNaN: true, noDefaultInfinity: true });

describe('rows of whole numbers', () => {
  it('are off by half a step at most', () => {
    fc.assert(
      fc.property(rows, fc.constantFrom(INT8_MOST, 1000, 32_767), (row, most) => {
        const { scale, values } = roundRow(row, most);
        const peak = row.reduce((top, value) => Math.max(top, Math.abs(value)), LEAST_PEAK);
        assert.ok(Math.abs(scale * most - peak) <= peak * 1e-6);
        row.forEach((value, i) => {
          const whole = values[i] ?? NaN;
          assert.ok(Math.abs(whole) <= most);
          assert.ok(Math.abs(value - whole * scale) <= scale * (0.5 + most * 1e-6), `${value} became ${whole}`);
        });
      }),
    );
  });

  it('take the even one of two that are as near', () => {
    const { scale, values } = roundRow(Float32Array.of(127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5), INT8_MOST);
    assert.deepEqual([scale, ...values], [1, 127, 0, 2, 2, 0, -2, -2]);
  });

  it('are zeros for zeros, and make what is not finite NaN', () => {
    assert.deepEqual([...roundRow(new Float32Array(3), INT8_MOST).values], [0, 0, 0]);
    for (const bad of [NaN, Infinity, -Infinity]) {
      const { scale, values } = roundRow(Float32Array.of(bad, 1), INT8_MOST);
      assert.ok(values.every((value) => value === 0) && Number.isNaN(0 * scale));
    }
  });

  it('have sums of products that fit 32 bits, and use all that there is', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 20 }), (columns) => {
        const levels = inputLevels(columns);
        assert.ok(levels >= 1 && columns * INT8_MOST * levels < 2 ** 31);
        assert.ok(levels === 32_767 || columns * INT8_MOST * (levels + 1) >= 2 ** 31 - 1);
      }),
    );
  });
});
