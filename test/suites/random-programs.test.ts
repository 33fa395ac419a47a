/** @file Random networks, compiled at every level, run as they are interpreted. A failure prints the seed. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { fillWeights, describeProgram } from '../../compiler/artifact/index.ts';
import { emitWasm, targetBuffers } from '../../compiler/wasm/index.ts';
import type { KernelProgram, Network } from '../../ir/index.ts';
import { pipelinePasses, runPasses } from '../../passes/index.ts';
import type { OptimisationLevel, PassOptions } from '../../passes/index.ts';
import { createModel } from '../../runtime/index.ts';
import type { RadialModel } from '../../runtime/index.ts';
import {
  assertSameResults,
  narrowed,
  outputsOf,
  randomInputs,
  runNetwork,
  toleranceOf,
} from '../support/compare-networks.ts';
import type { Inputs } from '../support/compare-networks.ts';
import { randomNetwork } from '../support/random-network.ts';
import { noWeights } from '../support/tiny.ts';

const RUNS = 60;
const formats = [undefined, 'head', undefined, 'all'] as const;

async function compileNetwork(
  network: Network,
  level: OptimisationLevel,
  options: Pick<PassOptions, 'chunk' | 'int8'>,
): Promise<RadialModel> {
  const { module } = runPasses(network, pipelinePasses(level), {
    options: { ...options, extraBuffers: targetBuffers },
  });
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
async function checkCompiled(
  network: Network,
  model: RadialModel,
  { values, walks, tolerance }: Inputs & { readonly tolerance: number },
): Promise<void> {
  const expected = runNetwork(network, { values, walks });
  const { routing } = model.info;
  const routed = [routing.entry, ...routing.blocks].some(({ router }) => router !== null);
  const route = routed ? (position: number) => walks[position] : undefined;
  if (network.task === 'image-classification') {
    const found = await model.forward({ pixelValues: values }, { route });
    assertSameResults(expected, { logits: found.logits, paths: found.path }, tolerance);
    return;
  }
  for (const mode of ['prefill', 'decode'] as const) {
    const found = await model.forward(Array.from(values), { mode, route });
    assertSameResults(expected, { logits: found.logits, paths: found.path }, tolerance);
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
          const int8 = formats[seed % formats.length];
          const drawn = randomNetwork(seed, { jumps: seed % 3 === 0 });
          const model = await compileNetwork(drawn, level, { chunk: 1 + (seed % 5), int8 });
          const network = narrowed(drawn, int8);
          const inputs = randomInputs(network, seed);
          // An id must name an output too.
          const values =
            network.task === 'causal-lm' ? inputs.values.map((id) => id % outputsOf(network)) : inputs.values;
          await checkCompiled(network, model, { ...inputs, values, tolerance: toleranceOf(int8) });
        }),
        { numRuns: RUNS },
      );
    });
  }
});
