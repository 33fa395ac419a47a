/** @file Random networks, compiled at every level, run as they are interpreted. A failure prints the seed. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { fillWeights, describeProgram } from '../../compiler/artifact/index.ts';
import { emitWasm, targetBuffers } from '../../compiler/wasm/index.ts';
import type { KernelProgram, Network } from '../../ir/index.ts';
import { pipelinePasses, runPasses } from '../../passes/index.ts';
import type { OptimisationLevel } from '../../passes/index.ts';
import { createModel } from '../../runtime/index.ts';
import type { RadialModel } from '../../runtime/index.ts';
import { assertSameResults, outputsOf, randomInputs, runNetwork } from '../support/compare-networks.ts';
import type { Inputs } from '../support/compare-networks.ts';
import { randomNetwork } from '../support/random-network.ts';
import { noWeights } from '../support/tiny.ts';

const RUNS = 60;

async function compileNetwork(network: Network, level: OptimisationLevel, chunk: number): Promise<RadialModel> {
  const { module } = runPasses(network, pipelinePasses(level), { options: { chunk, extraBuffers: targetBuffers } });
  assert(module.stage === 'kernel');
  const program: KernelProgram = module;
  return createModel({
    info: describeProgram(program, {
      family: 'rir',
      target: 'wasm-simd',
      dtype: 'fp32',
      tokens: { bos: null, addBos: false, eos: [] },
      labels: [],
    }),
    wasm: await emitWasm(program),
    fillWeights: (into) => fillWeights(program, noWeights, { into }),
  });
}

/** Compares with the interpreter, in prefill and in decode; then follows what was recorded. */
async function checkCompiled(network: Network, model: RadialModel, { values, walks }: Inputs): Promise<void> {
  const expected = runNetwork(network, { values, walks });
  const { routing } = model.info;
  const routed = [routing.entry, ...routing.blocks].some(({ router }) => router !== null);
  const route = routed ? (position: number) => walks[position] : undefined;
  if (network.task === 'image-classification') {
    const found = await model.forward({ pixelValues: values }, { route });
    assertSameResults(expected, { logits: found.logits, paths: found.path });
    return;
  }
  for (const mode of ['prefill', 'decode'] as const) {
    const found = await model.forward(Array.from(values), { mode, route });
    assertSameResults(expected, { logits: found.logits, paths: found.path });
    if (!routed) continue;
    const replayed = await model.forward(Array.from(values), { mode, route: { walk: found.path } });
    assert.deepEqual([replayed.path, replayed.logits], [found.path, found.logits]);
  }
}

describe('random networks as WebAssembly', () => {
  for (const level of ['O0', 'O1', 'O2'] as const) {
    it(`compute what the interpreter computes, at ${level}`, async function () {
      this.timeout(120_000);
      await fc.assert(
        fc.asyncProperty(fc.noShrink(fc.nat()), async (seed) => {
          const network = randomNetwork(seed, { jumps: seed % 3 === 0 });
          const model = await compileNetwork(network, level, 1 + (seed % 5));
          const inputs = randomInputs(network, seed);
          // An id must name an output too.
          const values =
            network.task === 'causal-lm' ? inputs.values.map((id) => id % outputsOf(network)) : inputs.values;
          await checkCompiled(network, model, { ...inputs, values });
        }),
        { numRuns: RUNS },
      );
    });
  }
});
