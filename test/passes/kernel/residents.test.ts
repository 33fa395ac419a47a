/** @file What still lies in a buffer, against a list of everything that ever did. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { View } from '../../../ir/index.ts';
import { overlaps, Residents } from '../../../passes/kernel/residents.ts';

const view = fc.record({
  buffer: fc.constantFrom<View['buffer']>('$a', '$b'),
  from: fc.nat(20),
  columns: fc.integer({ min: 1, max: 8 }),
  routed: fc.constant(false),
});

describe('Residents', () => {
  it('are live as long as an op to come reads them', () => {
    const value = fc.record({ view, readsLater: fc.nat(60), asked: view });
    fc.assert(
      fc.property(fc.array(value, { maxLength: 200 }), (values) => {
        const residents = new Residents();
        const all: { readonly view: View; readonly lastUse: number }[] = [];
        for (const [at, { view: place, readsLater, asked }] of values.entries()) {
          const expected = all.some(({ view: other, lastUse }) => lastUse > at && overlaps(other, asked));
          assert.equal(residents.isLive(asked, at), expected);
          residents.add(place, at + readsLater, at);
          all.push({ view: place, lastUse: at + readsLater });
        }
      }),
    );
  });
});
