/** @file Routers that a checkpoint brings along: every way in which their two files can be wrong. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openInput } from '../../../compiler/input.ts';
import { RadialError } from '../../../ir/index.ts';
import { checkpointFor, gates, hub, writeRouters } from '../../support/routers.ts';

const WIDTH = 12;
const config = {
  model_type: 'opt',
  vocab_size: 20,
  hidden_size: WIDTH,
  num_hidden_layers: 3,
  ffn_dim: 24,
  num_attention_heads: 3,
  max_position_embeddings: 16,
};

describe('routers of a checkpoint', () => {
  const dir = checkpointFor(config);
  beforeEach(() => {
    writeRouters(dir, gates, WIDTH);
  });

  const edit = (changes: object): void => {
    const path = join(dir, 'radial-config.json');
    writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), ...changes }));
  };
  const refuses = (code: string, message: RegExp): void => {
    try {
      openInput(dir).close();
    } catch (error) {
      if (!(error instanceof RadialError)) throw error;
      for (const { help, place } of error.diagnostics) assert.ok(help !== undefined && place?.file !== undefined);
      const found = error.diagnostics.map((diagnostic) => `${diagnostic.code} ${diagnostic.message}`).join('\n');
      assert.match(found, new RegExp(`^${code} `));
      assert.match(found, message);
      return;
    }
    assert.fail(`no ${code}`);
  };

  it('are read, and asked by the edges', () => {
    const { module, close } = openInput(dir);
    close();
    assert(module.stage === 'network');
    assert.deepEqual(module.entry.edge, { router: { kind: 'gate' }, successors: [0, 1, 2, 3, 4, 5, 'exit'] });
    assert.equal(module.blocks.filter(({ gate }) => gate !== undefined).length, 5);
    assert.equal(module.routing.kv, 'project');
  });

  it('need both files (RC0270)', () => {
    rmSync(join(dir, 'router.safetensors'));
    refuses('RC0270', /no router\.safetensors/);
    writeRouters(dir, gates, WIDTH);
    rmSync(join(dir, 'radial-config.json'));
    refuses('RC0270', /no radial-config\.json/);
  });

  it('are of a known format (RC0271)', () => {
    edit({ version: 2 });
    refuses('RC0271', /version is 2, expected 1/);
    edit({ version: 1, format: 'other' });
    refuses('RC0271', /format is "other"/);
  });

  it('are of kinds and numbers that there are (RC0204)', () => {
    const bad = {
      router: 'magic',
      max_hops: 0,
      threshold: 2,
      kv: 'copy',
      router_hidden_size: -1,
      anchor_tokens: 0.5,
      weighting: 'p',
    };
    for (const [field, value] of Object.entries(bad)) {
      writeRouters(dir, gates, WIDTH);
      edit({ [field]: value });
      refuses('RC0204', new RegExp(field));
    }
  });

  it('fit the model (RC0272)', () => {
    edit({ blocks: 8 });
    refuses('RC0272', /for 8 blocks, the model has 6/);
    edit({ blocks: 6, gated_blocks: [3, 2] });
    refuses('RC0272', /block 2 of gated_blocks/);
    edit({ gated_blocks: [6] });
    refuses('RC0272', /block 6/);
  });

  it('have the tensors that their configuration says (RC0273)', () => {
    edit({ gated_blocks: [1, 2] });
    refuses('RC0273', /no such tensor/);
    writeRouters(dir, gates, WIDTH + 1);
    refuses('RC0273', /the tensor is \[1, 13\], radial-config\.json makes it \[1, 12\]/);
    writeRouters(dir, { ...gates, gatedBlocks: [1] }, WIDTH);
    edit({ gated_blocks: [1, 2] });
    refuses('RC0273', /the tensor is missing/);
    writeRouters(dir, hub, WIDTH);
    edit({ hop_embedding: false });
    refuses('RC0273', /no such tensor/);
  });
});
