/** @file Programs that need a walk: against the plain meaning of walks, prefill against decode, the straight line. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { kernelKinds } from '../../../ir/index.ts';
import type { KvPolicy, RevisitRule, Routing } from '../../../ir/index.ts';
import { distance } from './support.ts';
import type { Running } from './support.ts';
import { CHUNK, blockIds, meaning, runTokens, runToy } from './toy.ts';
import type { ToyToken } from './toy.ts';

const policies: readonly KvPolicy[] = ['absent', 'project', 'latest'];
const revisits: readonly RevisitRule[] = ['overwrite', 'append'];
const MAX_HOPS = 9;

const id = fc.integer({ min: 0, max: 10 });
const forward: fc.Arbitrary<ToyToken> = fc.record({ id, walk: fc.subarray(blockIds) });
const anyWay: fc.Arbitrary<ToyToken> = fc.record({
  id,
  walk: fc.array(fc.constantFrom(...blockIds), { maxLength: MAX_HOPS }),
});
const runs = { numRuns: 60 };

function fresh(running: Running): Running {
  running.reset();
  return running;
}

describe('walks', () => {
  for (const kv of policies) {
    for (const revisit of revisits) {
      const routing: Routing = { kv, revisit, maxHops: MAX_HOPS };

      it(`decode follows any walk: ${kv}, ${revisit}`, async () => {
        const running = await runToy(routing);
        fc.assert(
          fc.property(fc.array(anyWay, { minLength: 1, maxLength: 12 }), (tokens) => {
            const expected = meaning(tokens, routing);
            // Nothing is normed here: a token that sees large entries has their rounding, however small it ends.
            const size = Math.max(1, ...expected.flatMap((x) => x.map(Math.abs)));
            runTokens(fresh(running), tokens, 0).forEach((x, i) => {
              const error = distance([...x], [...(expected[i] ?? [])]) / size;
              assert.ok(error < 1e-3, `token ${i} is off by ${error}`);
            });
          }),
          runs,
        );
      });

      it(`prefill does what decode does, bit for bit: ${kv}, ${revisit}`, async () => {
        const running = await runToy(routing);
        fc.assert(
          fc.property(
            fc.array(forward, { minLength: 1, maxLength: 24 }),
            fc.nat(24),
            fc.integer({ min: 1, max: CHUNK }),
            (tokens, prefilled, chunk) => {
              const decoded = runTokens(fresh(running), tokens, 0);
              assert.deepEqual(runTokens(fresh(running), tokens, Math.min(prefilled, tokens.length), chunk), decoded);
            },
          ),
          runs,
        );
      });

      it(`the walk through all blocks is the straight program, bit for bit: ${kv}, ${revisit}`, async () => {
        const [walking, straight] = [await runToy(routing), await runToy(null)];
        const tokens = Array.from({ length: 35 }, (_, i): ToyToken => ({ id: (i * 7) % 11, walk: blockIds }));
        for (const prefilled of [0, 17, 35]) {
          assert.deepEqual(runTokens(fresh(walking), tokens, prefilled), runTokens(fresh(straight), tokens, prefilled));
        }
      });
    }
  }

  it('reset forgets everything', async () => {
    const running = await runToy({ kv: 'latest', revisit: 'append', maxHops: MAX_HOPS });
    const tokens = fc.sample(fc.array(anyWay, { minLength: 10, maxLength: 10 }), { seed: 1, numRuns: 1 })[0] ?? [];
    const once = runTokens(fresh(running), tokens, 0);
    assert.deepEqual(runTokens(fresh(running), tokens, 0), once);
  });

  it('ends at the hop cap, whatever the walk says', async () => {
    const routing: Routing = { kv: 'absent', revisit: 'overwrite', maxHops: 2 };
    const running = await runToy(routing);
    runTokens(running, [{ id: 1, walk: [0, 1, 1] }], 0).forEach((x) => {
      assert.ok(distance([...x], [...(meaning([{ id: 1, walk: [0, 1] }], routing)[0] ?? [])]) < 1e-4);
    });
  });

  it('counts what runs: nothing for tokens that do not execute a block', async () => {
    const running = await runToy({ kv: 'absent', revisit: 'overwrite', maxHops: MAX_HOPS }, true);
    const counts = (kind: (typeof kernelKinds)[number]): number[] => {
      const at = running.counters() / 4 + kernelKinds.indexOf(kind) * 2;
      return [...running.i32.subarray(at, at + 2)];
    };
    running.i32.fill(0, running.counters() / 4, running.counters() / 4 + 2 * kernelKinds.length);
    const walks = [[0, 1], [], [0, 4], [4, 10], []];
    runTokens(
      running,
      walks.map((walk) => ({ id: 3, walk })),
      5,
    );
    assert.deepEqual(counts('embed'), [1, 5]);
    assert.deepEqual(counts('attend'), [3, 5], 'blocks 0, 4 and 10, of two, two and one tokens');
    assert.deepEqual(counts('linear'), [4, 6]);
    runTokens(
      fresh(running),
      [
        { id: 1, walk: [] },
        { id: 1, walk: [4] },
      ],
      0,
    );
    assert.deepEqual(counts('attend'), [4, 6]);
  });
});
