/** @file Routed programs: exactness of the identity route, walks with reuse against the interpreter, and that skipping is real. */
import assert from 'node:assert/strict';
import { createInterpreter } from '../../ir/interpreter/index.ts';
import type { KvPolicy, Network, RevisitRule } from '../../ir/index.ts';
import type { Walk } from '../../runtime/index.ts';
import { compiledNetwork, largestDifference } from '../support/compiled.ts';
import { randomWalks } from '../support/random-walks.ts';
import { noWeights, tinyNetwork } from '../support/tiny.ts';

const policies: readonly KvPolicy[] = ['absent', 'project', 'latest'];
const revisits: readonly RevisitRule[] = ['overwrite', 'append'];
const ids = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4, 6, 2, 6];
const base = { layers: 3, heads: 4, kvHeads: 2, hidden: 24 };

async function logitsOf(
  network: Network,
  mode: 'prefill' | 'decode',
  walks?: readonly Walk[],
): Promise<readonly Float32Array[]> {
  const { model } = await compiledNetwork(network);
  return (await model.forward(ids, { mode, ...(walks !== undefined && { route: { walk: walks } }) })).logits;
}

describe('routed programs', () => {
  it('decode equals prefill bit for bit, without and with routes', async () => {
    const straight = tinyNetwork(base);
    assert.deepEqual(await logitsOf(straight, 'decode'), await logitsOf(straight, 'prefill'));
    for (const kv of policies) {
      const routed = tinyNetwork({ ...base, routed: true, routing: { kv } });
      const walks = ids.map((_, t) => [0, 1, 2, 3, 4, 5].filter((block) => (t * 7 + block * 3) % 5 !== 0));
      assert.deepEqual(await logitsOf(routed, 'decode', walks), await logitsOf(routed, 'prefill', walks), kv);
    }
  });

  for (const kv of policies) {
    for (const revisit of revisits) {
      it(`identity walks equal the sequential program bit for bit under ${kv}, ${revisit}`, async () => {
        const sequential = await logitsOf(tinyNetwork(base), 'prefill');
        const routed = tinyNetwork({ ...base, routed: true, routing: { kv, revisit } });
        for (const mode of ['prefill', 'decode'] as const) {
          assert.deepEqual(await logitsOf(routed, mode), sequential, mode);
          assert.deepEqual(
            await logitsOf(
              routed,
              mode,
              ids.map(() => [0, 1, 2, 3, 4, 5]),
            ),
            sequential,
            mode,
          );
        }
      });

      it(`random walks with reuse agree with the interpreter under ${kv}, ${revisit}`, async () => {
        const network = tinyNetwork({ ...base, routed: true, routing: { kv, revisit, maxHops: 7 } });
        const { model } = await compiledNetwork(network);
        const interpreter = createInterpreter(network, noWeights);
        for (let seed = 1; seed <= 12; seed++) {
          const walks = randomWalks(network, ids.length, seed);
          const expected = interpreter.runTokens(ids, { walks });
          for (const mode of ['prefill', 'decode'] as const) {
            const found = await model.forward(ids, { mode, route: { walk: walks } });
            assert.deepEqual(found.path, expected.paths, `seed ${seed}`);
            assert.ok(largestDifference(found.logits, expected.logits) < 3e-4, `seed ${seed}, ${mode}`);
          }
        }
      });
    }
  }

  it('a request leaves no trace in the next', async () => {
    const network = tinyNetwork({ ...base, routed: true, routing: { kv: 'latest', revisit: 'append', maxHops: 9 } });
    const { model } = await compiledNetwork(network);
    const walk = randomWalks(network, ids.length, 77);
    const first = await model.forward(ids, { route: { walk } });
    await model.forward([...ids].reverse(), { route: { walk: randomWalks(network, ids.length, 78) } });
    assert.deepEqual((await model.forward(ids, { route: { walk } })).logits, first.logits);
  });

  it('generation executes the route that it is given', async () => {
    const { model } = await compiledNetwork(tinyNetwork({ ...base, routed: true }));
    const depths: number[] = [];
    for await (const { depth, path } of model.generate([1, 2, 3], {
      maxNewTokens: 6,
      route: (position) => (position % 2 === 0 ? [0, 1] : undefined),
    })) {
      depths.push(depth);
      assert.equal(path.length, depth);
    }
    assert.deepEqual(depths, [2, 6, 2, 6, 2, 6]);
  });
});
