/** @file Muon: an update has equal singular values, whatever those of the gradient, and points the same way. */
import assert from 'node:assert/strict';
import { startBackend } from '../../../compiler/training/index.ts';
import { muonUpdate } from '../../../compiler/training/muon.ts';
import { normals, seededRandom } from '../../../compiler/training/random.ts';

/** xᵀ x or x xᵀ, whichever is smaller, in float64: (side, side). */
function gram(x: Float32Array, rows: number, columns: number): { side: number; at: (i: number, j: number) => number } {
  const side = Math.min(rows, columns);
  const [along, across] = rows < columns ? [columns, 1] : [1, columns];
  const length = Math.max(rows, columns);
  const at = (i: number, j: number): number => {
    let sum = 0;
    for (let k = 0; k < length; k++) sum += (x[i * along + k * across] ?? 0) * (x[j * along + k * across] ?? 0);
    return sum;
  };
  return { side, at };
}

/** A gradient with singular values from 1 down to about 1/30: random columns of falling length. */
function uneven(rows: number, columns: number): Float32Array {
  const values = normals(seededRandom(5), rows * columns, 1);
  return values.map((x, i) => x / (1 + (30 * (i % columns)) / columns));
}

describe('muon', () => {
  before(startBackend);

  for (const [rows, columns] of [
    [8, 8],
    [8, 24],
    [32, 8],
  ] as const) {
    it(`makes all directions of a ${rows} × ${columns} matrix equally long`, () => {
      const gradient = uneven(rows, columns);
      const update = muonUpdate(gradient, new Float32Array(gradient.length), [rows, columns]);
      const { side, at } = gram(update, rows, columns);
      // Squared singular values lie within [0.6, 1.25]² of the scale, and the Gram matrix's diagonal between them.
      const scale = (0.4 * Math.sqrt(Math.max(rows, columns))) ** 2;
      for (let i = 0; i < side; i++) {
        assert.ok(at(i, i) > 0.36 * scale && at(i, i) < 1.6 * scale, `${i}: ${at(i, i) / scale}`);
        for (let j = 0; j < i; j++) assert.ok(Math.abs(at(i, j)) < 0.4 * scale, `${i}, ${j}: ${at(i, j) / scale}`);
      }
      assert.ok(gradient.reduce((sum, g, i) => sum + g * (update[i] ?? 0), 0) > 0);
    });
  }

  it('keeps momentum, and is at rest without a gradient', () => {
    const momentum = new Float32Array(16);
    const gradient = uneven(4, 4);
    muonUpdate(gradient, momentum, [4, 4]);
    for (const [i, m] of momentum.entries()) assert.ok(Math.abs(m - 0.05 * (gradient[i] ?? 0)) < 1e-6);
    const still = muonUpdate(new Float32Array(16), new Float32Array(16), [4, 4]);
    assert.deepEqual([...still], new Array(16).fill(0));
  });
});
