/** @file How large programs are: what is promised of a model of OPT-125M's shape, and that size does not grow with depth. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readConfig } from '../../compiler/frontend/config/read-config.ts';
import { buildNetwork, checkpointTensors } from '../../compiler/frontend/families/index.ts';
import { parseJson } from '../../compiler/frontend/index.ts';
import type { JsonObject } from '../../compiler/frontend/index.ts';
import { emitWasm, targetBuffers } from '../../compiler/wasm/index.ts';
import { bufferBytes } from '../../ir/index.ts';
import type { KernelProgram, WeightSource } from '../../ir/index.ts';
import { pipelinePasses, runPasses } from '../../passes/index.ts';
import type { PassOptions } from '../../passes/index.ts';

const configFile = fileURLToPath(new URL('../bench/opt-125m.json', import.meta.url));
const MOST_WASM_BYTES = 120_000;

/** The program of a configuration; there are no weights, only their shapes. */
function programOf(change: JsonObject, options: PassOptions): KernelProgram {
  const fields = { ...(JSON.parse(readFileSync(configFile, 'utf8')) as JsonObject), ...change };
  const config = readConfig(parseJson(new TextEncoder().encode(JSON.stringify(fields)), 'config.json'));
  const shapes = new Map(checkpointTensors(config).map(({ name, shape }) => [name, shape]));
  const weights: WeightSource = {
    names: () => [...shapes.keys()],
    shape: (name) => shapes.get(name),
    read: () => assert.fail('a weight is read'),
  };
  const network = buildNetwork(config, weights, { name: 'opt-125m' });
  const { module } = runPasses(network, pipelinePasses('O2'), {
    options: { ...options, extraBuffers: targetBuffers },
  });
  assert(module.stage === 'kernel');
  return module;
}

describe('the size of a program of OPT-125M’s shape', () => {
  for (const [what, options] of [
    ['sequential', {}],
    ['routed, policy project', { route: 'external', kv: 'project' }],
    ['routed, policy latest, appending', { route: 'external', kv: 'latest', revisit: 'append' }],
  ] as const) {
    it(`is at most ${MOST_WASM_BYTES / 1000} KB of WebAssembly: ${what}`, async () => {
      const program = programOf({}, options);
      assert.equal(program.blocks.length, 24);
      const wasm = await emitWasm(program);
      assert.ok(wasm.byteLength <= MOST_WASM_BYTES, `${wasm.byteLength} bytes`);
    });
  }

  it('hardly grows with the number of layers', async () => {
    const [few, many] = [programOf({}, {}), programOf({ num_hidden_layers: 48 }, {})];
    const [small, large] = [await emitWasm(few), await emitWasm(many)];
    const perBlock = (large.byteLength - small.byteLength) / (many.blocks.length - few.blocks.length);
    assert.ok(perBlock < 200, `${perBlock} bytes a block`);
  });

  it('needs little memory besides weights and KV cache', () => {
    const program = programOf({}, {});
    const buffers = program.buffers.reduce((sum, buffer) => sum + bufferBytes(buffer, program), 0);
    assert.ok(buffers < 20e6, `${buffers} bytes`);
  });
});
