/** @file The 16-bit floats: every F16 pattern, the halfway cases of narrowing, and BF16. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { f16ToF32, f32ToBf16, f32ToF16, widenBf16, widenF16 } from '../../../compiler/frontend/weights/dtypes.ts';

const patterns = Uint16Array.from({ length: 1 << 16 }, (_, bits) => bits);

function widenedBy(widen: typeof widenF16): Float32Array {
  const values = new Float32Array(patterns.length);
  widen(patterns, values);
  return values;
}

describe('F16', () => {
  it('widens the values that the standard names', () => {
    for (const [bits, value] of [
      [0x0000, 0],
      [0x8000, -0],
      [0x0001, 2 ** -24],
      [0x03ff, 2 ** -14 - 2 ** -24],
      [0x0400, 2 ** -14],
      [0x3555, 0.333251953125],
      [0x3c00, 1],
      [0x3c01, 1 + 2 ** -10],
      [0xc000, -2],
      [0x7bff, 65504],
      [0x7c00, Infinity],
      [0xfc00, -Infinity],
      [0x7e00, NaN],
      [0x7c01, NaN],
      [0xffff, NaN],
    ] as const) {
      assert.ok(Object.is(f16ToF32(bits), value), bits.toString(16));
    }
  });

  it('survives widening and narrowing, all 65,536 patterns', () => {
    const values = widenedBy(widenF16);
    for (const bits of patterns) {
      const value = values[bits] ?? 0;
      const isNaN = (bits & 0x7fff) > 0x7c00;
      assert.ok(Object.is(value, f16ToF32(bits)));
      assert.equal(Number.isNaN(value), isNaN);
      if (!isNaN) assert.equal(f32ToF16(value), bits);
      else assert.equal(f32ToF16(value) & 0x7fff, 0x7e00);
    }
  });

  it('rounds to nearest, ties to even, between all neighbours', () => {
    for (let bits = 0; bits < 0x7bff; bits++) {
      const [low, high] = [f16ToF32(bits), f16ToF32(bits + 1)];
      const middle = (low + high) / 2;
      const even = bits % 2 === 0 ? bits : bits + 1;
      assert.equal(f32ToF16(middle), even);
      assert.equal(f32ToF16(-middle), 0x8000 | even);
      assert.equal(f32ToF16(middle - (high - low) / 64), bits);
      assert.equal(f32ToF16(middle + (high - low) / 64), bits + 1);
    }
  });

  it('becomes infinite from 65520 on, and zero up to 2^-25', () => {
    assert.equal(f32ToF16(65519.996), 0x7bff);
    assert.equal(f32ToF16(65520), 0x7c00);
    assert.equal(f32ToF16(-1e30), 0xfc00);
    assert.equal(f32ToF16(Infinity), 0x7c00);
    assert.equal(f32ToF16(2 ** -25), 0);
    assert.equal(f32ToF16(2 ** -25 + 2 ** -40), 1);
    assert.equal(f32ToF16(-(2 ** -149)), 0x8000);
  });
});

describe('BF16', () => {
  it('is the upper half of an f32, all 65,536 patterns', () => {
    const values = widenedBy(widenBf16);
    const words = new Uint32Array(values.buffer);
    for (const bits of patterns) {
      assert.equal(words[bits], bits * 65536);
      const value = values[bits] ?? 0;
      if (!Number.isNaN(value)) assert.equal(f32ToBf16(value), bits);
      else assert.equal(f32ToBf16(value) & 0x7fff, 0x7fc0);
    }
  });

  it('rounds to nearest, ties to even', () => {
    assert.equal(f32ToBf16(1 + 2 ** -8), 0x3f80);
    assert.equal(f32ToBf16(1 + 3 * 2 ** -8), 0x3f82);
    assert.equal(f32ToBf16(1 + 2 ** -8 + 2 ** -20), 0x3f81);
    assert.equal(f32ToBf16(3.4028234663852886e38), 0x7f80);
  });

  it('is the nearest of all BF16 values', () => {
    const values = widenedBy(widenBf16);
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const bits = f32ToBf16(value);
        const off = (other: number): number => Math.abs((values[other] ?? 0) - value);
        if ((bits & 0x7fff) === 0x7f80) return;
        assert.ok((bits & 0x7fff) === 0 || off(bits) <= off(bits - 1));
        assert.ok((bits & 0x7fff) === 0x7f7f || off(bits) <= off(bits + 1));
      }),
    );
  });
});
