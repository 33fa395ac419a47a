/** @file Random networks whose edges ask an oracle: compiled, they decide as they are interpreted. A failure prints the seed. */
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { createInterpreter } from '../../ir/index.ts';
import type { BlockEvent, Network, OracleKind, RunResult } from '../../ir/index.ts';
import { runPasses, passesNamed } from '../../passes/index.ts';
import { hasCode } from '../runtime/toy.ts';
import { outputsOf, randomInputs } from '../support/compare-networks.ts';
import { compiledNetwork, largestDifference } from '../support/compiled.ts';
import { randomNetwork } from '../support/random-network.ts';
import { noWeights, tinyNetwork } from '../support/tiny.ts';

function withOracle(network: Network, route: OracleKind): Network {
  const { module } = runPasses(network, passesNamed(['radialize']), { options: { route } });
  assert(module.stage === 'network');
  return module;
}

/** Ratios of a run at a threshold, and what it decides. */
function interpreted(network: Network, ids: readonly number[], kind: OracleKind, threshold: number) {
  const ratios: number[] = [];
  const onBlock = ({ x, f }: BlockEvent): void => {
    const sum = x.map((value, i) => value + (f[i] ?? NaN));
    ratios.push(Math.hypot(...f) / Math.hypot(...(kind === 'oracle_input' ? x : sum)));
  };
  const result: RunResult = createInterpreter(network, noWeights).runTokens(ids, { threshold, onBlock });
  return { ...result, ratios: ratios.sort((a, b) => a - b) };
}

describe('oracles', () => {
  it('decide in random networks as interpreted, and replay to the bit', async function () {
    this.timeout(120_000);
    let skipped = 0;
    await fc.assert(
      fc.asyncProperty(fc.noShrink(fc.nat()), async (seed) => {
        const kind = seed % 2 === 0 ? 'oracle_input' : 'oracle_output';
        const plain = randomNetwork(seed, { task: 'causal-lm', routed: false, learned: false });
        // Where a sum is part of a linear, an oracle sees nothing.
        fc.pre(plain.blocks.every(({ body }) => body.ops.some((op) => op.kind === 'residual')));
        const network = withOracle(plain, kind);
        const ids = Array.from(randomInputs(network, seed).values, (id) => id % outputsOf(network));
        const { ratios } = interpreted(network, ids, kind, 0);
        // In the widest gap near the median, so that rounding decides nothing.
        const middle = Math.floor(ratios.length / 2);
        const gap = [middle - 2, middle - 1, middle, middle + 1]
          .map((i) => [ratios[i] ?? 0, ratios[i + 1] ?? 0] as const)
          .reduce((widest, pair) => (pair[1] - pair[0] > widest[1] - widest[0] ? pair : widest));
        const threshold = (gap[0] + gap[1]) / 2;
        const expected = interpreted(network, ids, kind, threshold);
        // Where a change of the threshold decides something, rounding may, too.
        for (const near of [0.9999, 1.0001]) {
          fc.pre(isDeepStrictEqual(interpreted(network, ids, kind, near * threshold).paths, expected.paths));
        }
        const { model } = await compiledNetwork(network, { chunk: 1 + (seed % 5) });
        const found = await model.forward(ids, { threshold });
        assert.deepEqual(found.path, expected.paths);
        assert.ok(largestDifference(found.logits, expected.logits) < 1e-3);
        const replayed = await model.forward(ids, { route: { walk: found.path } });
        assert.deepEqual(replayed.logits, found.logits);
        skipped += network.blocks.length * ids.length - found.path.flat().length;
      }),
      { numRuns: 40 },
    );
    assert.ok(skipped > 40, `only ${skipped} blocks were skipped`);
  });

  it('give back the pages that they took to look', async () => {
    const ids = Array.from({ length: 40 }, (_, i) => i % 24);
    for (const kv of ['absent', 'project', 'latest'] as const) {
      const network = withOracle(tinyNetwork({ layers: 2, routing: { kv } }), 'oracle_input');
      const { model } = await compiledNetwork(network);
      const { ratios } = interpreted(network, ids, 'oracle_input', 0);
      const threshold = ratios[Math.floor(0.7 * ratios.length)] ?? NaN;
      const first = await model.forward(ids, { threshold });
      assert.ok(first.depth.some((depth) => depth < 4));
      // A second run, with other numbers, would find no page left.
      await model.forward(ids.toReversed(), { threshold: 1e9 });
      assert.deepEqual(await model.forward(ids, { threshold }), first);
    }
  });

  it('take any ratio as threshold, and nothing below 0 (RC0902)', async () => {
    const { model } = await compiledNetwork(withOracle(tinyNetwork(), 'oracle_input'));
    assert.equal(model.info.routing.decides, 'hop');
    assert.deepEqual((await model.forward([1, 2, 3], { threshold: 1e9 })).depth, [0, 0, 0]);
    assert.deepEqual((await model.forward([1, 2, 3], { threshold: 0 })).depth, [4, 4, 4]);
    await assert.rejects(model.forward([1], { threshold: -0.1 }), hasCode('RC0902'));
  });

  it('refuse blocks whose sum they cannot see (RC0611)', async () => {
    const network = tinyNetwork();
    const { module } = runPasses(network, passesNamed(['fuse-epilogue']), { options: {} });
    assert(module.stage === 'network');
    await assert.rejects(compiledNetwork(module, { route: 'oracle_input' }), hasCode('RC0611', /block \^0/));
  });
});
