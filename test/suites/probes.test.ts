/** @file Probes: what compiled blocks report agrees with the interpreter and with the reference, and changes nothing. */
import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { createInterpreter } from '../../ir/index.ts';
import type { Walk } from '../../runtime/index.ts';
import { compiled, compiledNetwork } from '../support/compiled.ts';
import { readBlockNorms } from '../support/expected.ts';
import { randomWalks } from '../support/random-walks.ts';
import { sharedData } from '../support/shared.ts';
import { noWeights, tinyNetwork } from '../support/tiny.ts';

const ids = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4, 6, 2, 6];
const policies = ['absent', 'project', 'latest'] as const;

/** The norms of a block for a token: of x, f and x + f. */
function reported(probes: readonly Float32Array[] | undefined, position: number, block: number): number[] {
  return Array.from(probes?.[position]?.subarray(3 * block, 3 * block + 3) ?? []);
}

function assertNear(found: readonly number[], expected: readonly number[], what: string): void {
  assert.equal(found.length, expected.length, what);
  found.forEach((value, i) => {
    const wanted = expected[i] ?? NaN;
    assert.ok(
      Math.abs(value - wanted) <= 1e-4 * Math.max(1, wanted),
      `${what}: ${found.join()} not ${expected.join()}`,
    );
  });
}

describe('probes', () => {
  for (const kv of policies) {
    it(`report the last visit of each block, and NaN where there was none, under ${kv}`, async () => {
      const network = tinyNetwork({ layers: 3, routed: true, routing: { kv, maxHops: 7 } });
      const { model } = await compiledNetwork(network, { probes: true });
      const interpreter = createInterpreter(network, noWeights);
      for (let seed = 1; seed <= 6; seed++) {
        const walks: readonly Walk[] = randomWalks(network, ids.length, seed);
        const expected = new Map<string, readonly number[]>();
        interpreter.runTokens(ids, {
          walks,
          onBlock: ({ block, position, x, f }) => {
            const sum = x.map((value, i) => value + (f[i] ?? NaN));
            expected.set(
              `${position} ${block}`,
              [x, f, sum].map((row) => Math.hypot(...row)),
            );
          },
        });
        for (const mode of ['prefill', 'decode'] as const) {
          const { probes } = await model.forward(ids, { mode, route: { walk: walks } });
          for (const position of ids.keys()) {
            for (const { id } of network.blocks) {
              const wanted = expected.get(`${position} ${id}`) ?? [NaN, NaN, NaN];
              const found = reported(probes, position, id);
              if (Number.isNaN(wanted[0])) assert.deepEqual(found, wanted, `seed ${seed}`);
              else assertNear(found, wanted, `seed ${seed}, token ${position}, block ${id}, ${mode}`);
            }
          }
        }
      }
    });
  }

  it('change no bit of the logits', async () => {
    const network = tinyNetwork({ layers: 3 });
    const [plain, watched] = [await compiledNetwork(network), await compiledNetwork(network, { probes: true })];
    const [expected, found] = [await plain.model.forward(ids), await watched.model.forward(ids)];
    assert.deepEqual(found.logits, expected.logits);
    assert.equal(expected.probes, undefined);
    assert.equal(found.probes?.length, ids.length);
  });

  for (const name of [
    'tiny-random/opt-pre',
    'tiny-random/gpt2',
    'tiny-random/llama-gqa',
    'tiny-random/vit',
    'gpt-nano-sort',
    'stories260k',
  ]) {
    it(`give the residual ratios of ${basename(name)} (../shared/data; skipped where it is absent)`, async function () {
      const folder = sharedData(name) ?? this.skip();
      const { model } = await compiled({ input: folder, probes: true });
      const inputs = readBlockNorms(folder);
      assert.ok(inputs.length > 0);
      for (const { input, blocks } of inputs) {
        const { probes } = await model.forward(input);
        for (const { index, ratio_f_x: ofInput, ratio_f_sum: ofOutput } of blocks) {
          for (const [position, ratio] of ofInput.entries()) {
            const [x = NaN, f = NaN, sum = NaN] = reported(probes, position, index);
            assert.ok(Math.abs(f / x - ratio) < 1e-4, `block ${index}, token ${position}: ${f / x}, not ${ratio}`);
            assert.ok(Math.abs(f / sum - (ofOutput[position] ?? NaN)) < 1e-4, `block ${index}, token ${position}`);
          }
        }
      }
    });
  }
});
