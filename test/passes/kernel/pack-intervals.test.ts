/** @file Where things go that live for a while: each picture shows lifetimes, kernel by kernel, and the expected offset. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { packIntervals } from '../../../passes/kernel/pack-intervals.ts';
import type { Item } from '../../../passes/kernel/pack-intervals.ts';

/** Name, life (`#` alive, `.` not; a blank between two pieces of code), size, expected offset. */
type Row = readonly [string, string, number, number];

function item([name, life, size]: Row): Item<string> {
  const intervals = life.split(' ').flatMap((part, code) => {
    const first = part.indexOf('#');
    return first < 0 ? [] : [{ code, first, last: part.lastIndexOf('#') }];
  });
  return { name, size, intervals };
}

function check(rows: readonly Row[], end: number): void {
  const packing = packIntervals(rows.map(item));
  assert.deepEqual(
    rows.map(([name, life, size]) => [name, life, size, packing.offsets.get(name)]),
    rows,
  );
  assert.equal(packing.end, end);
}

describe('packIntervals', () => {
  it('puts what lives together side by side, big things first', () => {
    check(
      [
        ['norm', '###..', 64, 192],
        ['up', '.##..', 192, 0],
        ['down', '..##.', 64, 256],
      ],
      320,
    );
  });

  it('uses a place again when its owner is dead; reader and result of one kernel live together', () => {
    check(
      [
        ['a', '##...', 128, 0],
        ['b', '.##..', 128, 128],
        ['c', '..##.', 128, 0],
        ['d', '...##', 128, 128],
      ],
      256,
    );
  });

  it('takes the tightest gap', () => {
    check(
      [
        ['wall', '###', 512, 0],
        ['early', '#..', 256, 512],
        ['floor', '###', 200, 768],
        ['brief', '#..', 128, 968],
        ['shelf', '###', 100, 1096],
        ['fits', '..#', 96, 968],
        ['fits too', '..#', 90, 512],
      ],
      1196,
    );
  });

  it('lays what belongs to different code over each other', () => {
    check(
      [
        ['attention', '### ...', 128, 0],
        ['mlp', '... ###', 256, 0],
        ['both', '#.. ..#', 64, 256],
      ],
      320,
    );
  });

  it('is empty for nothing', () => {
    check([], 0);
  });

  it('never lets two that live together overlap', () => {
    const life = fc.record({
      code: fc.nat(2),
      first: fc.nat(9),
      length: fc.nat(5),
      size: fc.integer({ min: 1, max: 50 }),
    });
    fc.assert(
      fc.property(fc.array(life, { maxLength: 25 }), (lives) => {
        const items = lives.map(({ code, first, length, size }, name) => ({
          name,
          size,
          code,
          first,
          last: first + length,
        }));
        const { offsets, end } = packIntervals(
          items.map(({ name, size, ...interval }) => ({ name, size, intervals: [interval] })),
        );
        const at = (name: number): number => offsets.get(name) ?? NaN;
        for (const a of items) {
          assert(at(a.name) + a.size <= end);
          for (const b of items) {
            const together = a.name < b.name && a.code === b.code && a.first <= b.last && b.first <= a.last;
            assert(!together || at(a.name) + a.size <= at(b.name) || at(b.name) + b.size <= at(a.name));
          }
        }
      }),
    );
  });
});
