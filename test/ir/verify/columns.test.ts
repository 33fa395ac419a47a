/** @file Sets of columns against sets of numbers. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Columns } from '../../../ir/verify/columns.ts';

const ranges = fc.array(
  fc.tuple(fc.nat(30), fc.integer({ min: 1, max: 8 })).map(([from, length]) => ({ from, to: from + length })),
);

describe('Columns', () => {
  it('include a range exactly when they include each of its columns', () => {
    fc.assert(
      fc.property(ranges, ranges, (added, asked) => {
        const columns = new Columns();
        const numbers = new Set<number>();
        for (const range of added) {
          columns.add(range);
          for (let i = range.from; i < range.to; i++) numbers.add(i);
        }
        for (const { from, to } of asked) {
          const expected = Array.from({ length: to - from }, (_, i) => from + i).every((i) => numbers.has(i));
          assert.equal(columns.includes({ from, to }), expected);
        }
      }),
    );
  });
});
