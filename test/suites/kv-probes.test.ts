/** @file Probes of KV lists: compiled blocks report what the interpreter finds on walks that skip, and change nothing. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import * as ir from '../../ir/index.ts';
import type { Network } from '../../ir/index.ts';
import * as format from '../../runtime/artifact/index.ts';
import { PROBE_COLUMNS, KV_PROBE_COLUMNS, kvReports } from '../../runtime/artifact/index.ts';
import { outputsOf, randomInputs } from '../support/compare-networks.ts';
import { compiledNetwork } from '../support/compiled.ts';
import { kvKey, kvPairs } from '../support/kv-pairs.ts';
import { randomNetwork } from '../support/random-network.ts';
import { noWeights, tinyNetwork } from '../support/tiny.ts';

const ids = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5];

/** Compiled with probes of KV lists, a network says what the interpreter finds; how many reports were compared. */
async function compare(network: Network, input: readonly number[] | Float32Array, chunk?: number): Promise<number> {
  const request = { kvProbes: true, ...(chunk !== undefined && { chunk }) };
  const { model } = await compiledNetwork(network, request);
  const { kvProbes = [] } = await model.forward(input instanceof Float32Array ? { pixelValues: input } : input);
  const pairs = kvPairs(network, noWeights, input);
  let compared = 0;
  for (const [position, row] of kvProbes.entries()) {
    for (const { id } of network.blocks) {
      for (const [i, report] of kvReports.entries()) {
        const pair = pairs.get(kvKey(id, position, report));
        const from = KV_PROBE_COLUMNS * id + PROBE_COLUMNS * i;
        const found = Array.from(row.subarray(from, from + PROBE_COLUMNS));
        if (pair === undefined) continue;
        const { right, left } = pair;
        const difference = right.map((value, column) => value - (left[column] ?? NaN));
        const expected = [right, left, difference].map((values) => Math.hypot(...values));
        const scale = Math.max(1, ...expected.slice(0, 2));
        found.forEach((value, column) => {
          const wanted = expected[column] ?? NaN;
          const what = `block ${id}, token ${position}, ${report}: ${found.join()} not ${expected.join()}`;
          assert.ok(Math.abs(value - wanted) <= 1e-4 * scale, what);
        });
        compared++;
      }
    }
  }
  assert.equal(compared, pairs.size);
  return compared;
}

describe('probes of KV lists', () => {
  it('are named alike by compiler and runtime', () => {
    assert.deepEqual(ir.kvReports, format.kvReports);
    assert.equal(ir.KV_PROBE_COLUMNS, format.KV_PROBE_COLUMNS);
  });

  for (const kvHeads of [1, 2, 4]) {
    it(`report what skipping leaves, with ${kvHeads} KV heads of 4`, async () => {
      const network = tinyNetwork({ layers: 3, heads: 4, kvHeads });
      // Three attention blocks, each with one report, all but the first with four more.
      assert.equal(await compare(network, ids, 4), (3 + 2 * 4) * ids.length);
    });
  }

  it('report it in random networks', async function () {
    this.timeout(120_000);
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(fc.noShrink(fc.nat()), async (seed) => {
        // Under `latest`, k and v of all attention blocks have one shape.
        const network = randomNetwork(seed, { routed: false, learned: false, kv: 'latest' });
        fc.pre(network.blocks.every(({ body }) => body.ops.some(({ kind }) => kind === 'residual')));
        const { values } = randomInputs(network, seed);
        const isText = network.task === 'causal-lm';
        const input = isText ? Array.from(values, (id) => id % outputsOf(network)) : Float32Array.from(values);
        compared += await compare(network, input, 1 + (seed % 5));
      }),
      { numRuns: 30 },
    );
    assert.ok(compared > 500, `only ${compared} reports`);
  });

  it('change no bit of the logits, and are there only where asked for, on a straight line', async () => {
    const network = tinyNetwork({ layers: 3 });
    const [plain, watched] = [await compiledNetwork(network), await compiledNetwork(network, { kvProbes: true })];
    const [expected, found] = [await plain.model.forward(ids), await watched.model.forward(ids)];
    assert.deepEqual(found.logits, expected.logits);
    assert.equal(expected.kvProbes, undefined);
    assert.equal(found.probes, undefined);
    const routed = await compiledNetwork(tinyNetwork({ layers: 3, routed: true }), { kvProbes: true, probes: true });
    const { probes, kvProbes } = await routed.model.forward(ids);
    assert.deepEqual([probes?.length, kvProbes], [ids.length, undefined]);
  });
});
