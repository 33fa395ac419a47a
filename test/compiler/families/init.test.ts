/** @file Random checkpoints: of every family, the same for the same seed, complete or not there at all. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildNetwork } from '../../../compiler/frontend/families/index.ts';
import { initCheckpoint, loadCheckpoint, readCheckpointConfig } from '../../../compiler/frontend/index.ts';
import type { InitOptions, InitProgress } from '../../../compiler/frontend/index.ts';
import type { JsonObject } from '../../../compiler/frontend/json.ts';
import { parseJson } from '../../../compiler/frontend/json.ts';
import { readConfig } from '../../../compiler/frontend/config/read-config.ts';
import { RadialError } from '../../../ir/diagnostics/diagnostic.ts';
import { createInterpreter } from '../../../ir/interpreter/index.ts';
import { verifyNetwork } from '../../../ir/verify/network.ts';
import { sharedData } from '../../support/shared.ts';
import { shapesFor, shapesOnly, tinyGpt2, tinyLlama, tinyOpt, tinyVit } from './support.ts';

describe('init: random checkpoints', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'radialc-init-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const init = (
    name: string,
    config: JsonObject,
    options: Partial<InitOptions> = {},
  ): ReturnType<typeof initCheckpoint> => initCheckpoint({ seed: 1, outDir: join(folder, name), ...options, config });

  for (const config of [
    tinyOpt,
    { ...tinyOpt, do_layer_norm_before: false, word_embed_proj_dim: 8 },
    tinyGpt2,
    tinyLlama,
    tinyVit,
  ]) {
    it(`${config.model_type}: loads, and its logits are sane`, async () => {
      const { parameters, files } = await init('out', config);
      const { network, weights, checkpoint } = loadCheckpoint(join(folder, 'out'));
      assert.equal(network.name, 'out');
      assert.equal(weights.totalElements, parameters);
      assert.deepEqual(files, ['model.safetensors']);
      const interpreter = createInterpreter(network, weights);
      const run =
        network.task === 'causal-lm'
          ? interpreter.runTokens([1, 2, 3])
          : interpreter.runImage(new Float32Array(192).fill(0.5));
      const size = Math.hypot(...(run.logits.at(-1) ?? []));
      assert.ok(size > 0.1 && size < 100, String(size));
      checkpoint.close();
    });
  }

  it('norm gains are 1, shifts 0; weights have mean 0 and the spread of their kind', async () => {
    await init('out', { ...tinyGpt2, n_embd: 96, vocab_size: 1000 });
    const { weights, checkpoint } = loadCheckpoint(join(folder, 'out'));
    assert.deepEqual(new Set(weights.read('transformer.ln_f.weight', 0, 96)), new Set([1]));
    assert.deepEqual(new Set(weights.read('transformer.ln_f.bias', 0, 96)), new Set([0]));
    const values = weights.read('transformer.wte.weight', 0, 96_000);
    const mean = values.reduce((a, b) => a + b) / values.length;
    const std = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    assert.ok(Math.abs(mean) < 1e-3 && Math.abs(std / (0.5 / Math.sqrt(96)) - 1) < 0.02, `${mean} ${std}`);
    checkpoint.close();
  });

  it('one seed gives one checkpoint, another seed another', async () => {
    for (const [name, seed] of [
      ['a', 7],
      ['b', 7],
      ['c', 8],
    ] as const) {
      await init(name, tinyLlama, { seed });
    }
    const bytes = (name: string): Buffer => readFileSync(join(folder, name, 'model.safetensors'));
    assert.ok(bytes('a').equals(bytes('b')));
    assert.ok(!bytes('a').equals(bytes('c')));
  });

  it('tensors differ from one another', async () => {
    await init('out', tinyLlama);
    const { weights, checkpoint } = loadCheckpoint(join(folder, 'out'));
    const starts = weights
      .names()
      .filter((name) => !name.includes('norm'))
      .map((name) => weights.read(name, 0, 2).join());
    assert.equal(new Set(starts).size, starts.length);
    checkpoint.close();
  });

  it('shards hold the same numbers as one file', async () => {
    const { files } = await init('shards', tinyOpt, { maxFileBytes: 3000 });
    await init('one', tinyOpt);
    assert.ok(files.length > 2);
    assert.deepEqual(readdirSync(join(folder, 'shards')).toSorted(), [
      'config.json',
      ...files,
      'model.safetensors.index.json',
    ]);
    const [shards, one] = [loadCheckpoint(join(folder, 'shards')), loadCheckpoint(join(folder, 'one'))];
    for (const name of one.weights.names()) {
      const count = (one.weights.shape(name) ?? []).reduce((product, size) => product * size, 1);
      assert.deepEqual(shards.weights.read(name, 0, count), one.weights.read(name, 0, count));
    }
    shards.checkpoint.close();
    one.checkpoint.close();
  });

  for (const [dtype, torch] of [
    ['F16', 'float16'],
    ['BF16', 'bfloat16'],
  ] as const) {
    it(`${dtype}, which config.json then says`, async () => {
      await init('out', tinyVit, { dtype });
      const { weights, checkpoint } = loadCheckpoint(join(folder, 'out'));
      assert.ok(weights.names().every((name) => weights.dtype(name) === dtype));
      assert.deepEqual(JSON.parse(readFileSync(join(folder, 'out', 'config.json'), 'utf8')), {
        ...tinyVit,
        torch_dtype: torch,
      });
      checkpoint.close();
    });
  }

  it('reads the config from a file and tells its progress', async () => {
    const configPath = join(folder, 'my-config.json');
    writeFileSync(configPath, JSON.stringify(tinyGpt2));
    const seen: InitProgress[] = [];
    const { config, parameters } = await initCheckpoint({
      configPath,
      seed: 3,
      outDir: join(folder, 'a/b'),
      onProgress: (progress) => seen.push(progress),
    });
    assert.deepEqual(readCheckpointConfig(join(folder, 'a/b')), config);
    assert.deepEqual(seen.at(-1), { written: parameters, total: parameters });
  });

  it('an empty folder is taken, one in use and a file are refused', async () => {
    mkdirSync(join(folder, 'empty'));
    await init('empty', tinyVit);
    await assert.rejects(init('empty', tinyVit), withCode('RC0260'));
    writeFileSync(join(folder, 'file'), '');
    await assert.rejects(init('file', tinyVit), withCode('RC0260'));
    await assert.rejects(init('file/below', tinyVit), withCode('RC0261'));
  });

  it('leaves nothing behind when the config is bad or the caller aborts', async () => {
    await assert.rejects(init('out', { ...tinyOpt, hidden_size: 0 }), RadialError);
    await assert.rejects(init('out', tinyOpt, { signal: AbortSignal.abort() }), { name: 'AbortError' });
    const controller = new AbortController();
    const onProgress = (): void => {
      controller.abort();
    };
    await assert.rejects(init('out', tinyOpt, { signal: controller.signal, onProgress }), { name: 'AbortError' });
    assert.deepEqual(readdirSync(folder), []);
  });
});

describe('init: configs of real models', () => {
  const folder = sharedData('configs');
  const names = folder === undefined ? [] : readdirSync(folder).filter((name) => name.endsWith('.json'));
  if (names.length === 0) it.skip('needs the reference data');
  for (const name of names) {
    it(`${name}: the network can be built`, () => {
      const path = join(folder ?? '', name);
      assert.ok(existsSync(path));
      const config = readConfig(parseJson(readFileSync(path), name));
      const network = buildNetwork(config, shapesOnly(shapesFor(config)), { name });
      assert.deepEqual(verifyNetwork(network), []);
      assert.equal(network.blocks.length, 2 * config.layers);
      assert.equal(network.context, config.family === 'vit' ? (224 / config.patchSize) ** 2 + 1 : 2048);
    });
  }
});

function withCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof RadialError && error.diagnostics[0]?.code === code;
}
