/** @file Compiled programs against the reference outputs, in prefill and in decode, at every optimisation level. */
import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { loadCheckpoint } from '../../compiler/frontend/index.ts';
import { createInterpreter } from '../../ir/index.ts';
import { passesNamed, runPasses } from '../../passes/index.ts';
import { compiled, largestDifference } from '../support/compiled.ts';
import { expectedSequences, readExpected, readMasked } from '../support/expected.ts';
import { sharedData } from '../support/shared.ts';

const TOLERANCE = 3e-4;
const levels = ['O0', 'O1', 'O2'] as const;
const modes = ['prefill', 'decode'] as const;
const languageModels = ['tiny-random/opt-pre', 'tiny-random/gpt2', 'tiny-random/llama-gqa', 'gpt-nano-sort'];

describe('reference outputs (../shared/data; skipped where it is absent)', () => {
  for (const name of languageModels) {
    for (const optLevel of levels) {
      it(`${basename(name)} at ${optLevel}`, async function () {
        const folder = sharedData(name) ?? this.skip();
        const { model } = await compiled({ input: folder, optLevel });
        for (const { ids, positions, logits } of expectedSequences(readExpected(folder))) {
          for (const mode of modes) {
            const found = await model.forward(ids, { mode, positions });
            assert.ok(largestDifference(found.logits, logits) <= TOLERANCE, mode);
          }
        }
      });
    }
  }

  it('a small prefill chunk changes nothing, bit for bit', async function () {
    const folder = sharedData('tiny-random/llama-gqa') ?? this.skip();
    const [whole, small] = await Promise.all([compiled({ input: folder }), compiled({ input: folder, chunk: 5 })]);
    for (const { ids } of expectedSequences(readExpected(folder))) {
      assert.deepEqual((await small.model.forward(ids)).logits, (await whole.model.forward(ids)).logits);
    }
  });

  for (const optLevel of levels) {
    it(`vit at ${optLevel}`, async function () {
      const folder = sharedData('tiny-random/vit') ?? this.skip();
      const { model } = await compiled({ input: folder, optLevel });
      for (const { pixel_values: pixelValues, logits } of readExpected(folder).images ?? []) {
        const found = await model.forward({ pixelValues });
        assert.ok(largestDifference(found.logits, [logits]) <= TOLERANCE);
      }
    });
  }

  it('stories260k continues each prompt with exactly the reference ids', async function () {
    const folder = sharedData('stories260k') ?? this.skip();
    const { model } = await compiled({ input: folder });
    const runs = readExpected(folder).runs ?? [];
    assert.ok(runs.length > 0);
    for (const { prompt_ids: prompt, greedy_ids: expected } of runs) {
      const ids: number[] = [];
      for await (const { id } of model.generate(prompt, { maxNewTokens: expected.length, ignoreEos: true })) {
        ids.push(id);
      }
      assert.deepEqual(ids, expected);
    }
  });
});

describe('reference logits of a trained model (../shared/data; skipped where it is absent)', () => {
  for (const optLevel of levels) {
    it(`stories260k at ${optLevel}: after each prompt, and −ln p of each token of a text`, async function () {
      const folder = sharedData('stories260k') ?? this.skip();
      const { model } = await compiled({ input: folder, optLevel });
      const { runs = [], nll_text: text } = readExpected(folder);
      assert.ok(runs.length > 0 && text !== undefined);
      for (const mode of modes) {
        for (const { prompt_ids: prompt, last_prompt_logits: expected } of runs) {
          const { logits } = await model.forward(prompt, { mode, positions: [prompt.length - 1] });
          const row = logits[0] ?? new Float32Array();
          const top = expected.top16_ids.map((id) => row[id] ?? NaN);
          assert.ok(largestDifference([top], [expected.top16_values]) <= TOLERANCE, mode);
          assert.ok(Math.abs(Math.hypot(...row) - expected.l2_norm) <= TOLERANCE * Math.sqrt(row.length), mode);
        }
        const { logits } = await model.forward(text.input_ids, { mode });
        const nll = text.input_ids.slice(1).map((id, t) => negativeLogLikelihood(logits[t] ?? new Float32Array(), id));
        assert.ok(largestDifference([nll], [text.nll_per_token]) <= TOLERANCE, mode);
      }
    });
  }
});

function negativeLogLikelihood(logits: Float32Array, id: number): number {
  const highest = Math.max(...logits);
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - highest), 0);
  return highest + Math.log(total) - (logits[id] ?? NaN);
}

describe('reference routes (routed-semantics; skipped where it is absent)', () => {
  for (const kv of ['absent', 'project', 'latest'] as const) {
    for (const optLevel of ['O0', 'O2'] as const) {
      it(`masks under ${kv} at ${optLevel}`, async function () {
        const [folder, file] = [sharedData('tiny-random/opt-pre'), sharedData('routed-semantics/opt-pre-masks.json')];
        if (folder === undefined || file === undefined) return this.skip();
        const { model } = await compiled({ input: folder, route: 'external', kv, optLevel });
        const { input_ids: ids, cases } = readMasked(file);
        for (const { mask, logits } of cases) {
          for (const mode of modes) {
            const found = await model.forward(ids, { mode, route: { mask } });
            assert.ok(largestDifference(found.logits, logits[kv]) <= TOLERANCE, mode);
            assert.deepEqual(
              found.depth,
              ids.map((_, t) => mask.filter((row) => row[t] === 1).length),
            );
          }
        }
      });
    }

    it(`masks under ${kv}, interpreted`, function () {
      const [folder, file] = [sharedData('tiny-random/opt-pre'), sharedData('routed-semantics/opt-pre-masks.json')];
      if (folder === undefined || file === undefined) return this.skip();
      const { network, weights, checkpoint } = loadCheckpoint(folder);
      const { module } = runPasses(network, passesNamed(['radialize']), { options: { route: 'external', kv } });
      assert(module.stage === 'network');
      const interpreter = createInterpreter(module, weights);
      const { input_ids: ids, cases } = readMasked(file);
      for (const { mask, logits } of cases) {
        const walks = ids.map((_, t) => [...mask.keys()].filter((block) => mask[block]?.[t] === 1));
        const found = interpreter.runTokens(ids, { walks });
        assert.ok(largestDifference(found.logits, logits[kv]) <= TOLERANCE);
        assert.deepEqual(found.paths, walks);
      }
      checkpoint.close();
    });
  }
});
