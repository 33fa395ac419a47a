/** @file Checkpoints: what a folder gives, and what is said of a folder that is none. */
import assert from 'node:assert/strict';
import { chmodSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { openCheckpoint } from '../../../compiler/frontend/checkpoint.ts';
import { readTokenizer } from '../../../compiler/frontend/tokenizer/read-tokenizer.ts';
import { sharedData } from '../../support/shared.ts';
import { entry, failsWith, safetensors, withFolder } from './support.ts';

const model = safetensors({ header: { a: entry('F32', [1], 0, 4) }, data: 4 });
const sound = { 'config.json': '{"model_type":"llama"}', 'model.safetensors': model };

describe('checkpoints', () => {
  it('give config, weights and the files of the tokenizer', () => {
    const files = { ...sound, 'tokenizer.json': '{}', 'tokenizer_config.json': '{"add_bos_token":true}' };
    withFolder(files, (folder) => {
      const checkpoint = openCheckpoint(folder);
      assert.equal(checkpoint.dir, folder);
      assert.ok(folder.endsWith(checkpoint.name));
      assert.equal(checkpoint.config.family, 'llama');
      assert.deepEqual(checkpoint.weights.names(), ['a']);
      assert.equal(checkpoint.tokenizerPath, join(folder, 'tokenizer.json'));
      assert.equal(JSON.stringify(checkpoint.tokenizerConfig?.value), '{"add_bos_token":true}');
      checkpoint.close();
    });
  });

  it('take the ids that end a text from generation_config.json', () => {
    const eosOf = (generation: string): readonly number[] =>
      withFolder({ ...sound, 'generation_config.json': generation }, (folder) => {
        const checkpoint = openCheckpoint(folder);
        checkpoint.close();
        return checkpoint.config.family === 'vit' ? [] : checkpoint.config.eosTokenIds;
      });
    assert.deepEqual(eosOf('{"eos_token_id":[3,4]}'), [3, 4]);
    assert.deepEqual(eosOf('{}'), [2]);
    failsWith('RC0204', () => eosOf('{"eos_token_id":"x"}'));
    failsWith('RC0202', () => eosOf('[]'));
  });

  it('RC0140: nothing there; RC0141: a file', () => {
    withFolder({ file: 'x' }, (folder) => {
      assert.match(failsWith('RC0140', () => openCheckpoint(join(folder, 'none'))).help ?? '', /not downloaded/);
      assert.match(failsWith('RC0141', () => openCheckpoint(join(folder, 'file'))).help ?? '', /folder/);
      failsWith('RC0140', () => openCheckpoint(join(folder, 'file', 'below')));
      failsWith('RC0140', () => openCheckpoint('a\0b'));
    });
  });

  it('RC0201: no config.json', () => {
    withFolder({ 'model.safetensors': model }, (folder) => failsWith('RC0201', () => openCheckpoint(folder)));
  });

  for (const name of [
    'config.json',
    'generation_config.json',
    'tokenizer.json',
    'tokenizer_config.json',
    'model.safetensors',
    'model.safetensors.index.json',
  ]) {
    it(`RC0132: ${name} is a link to what is gone`, function () {
      if (process.platform === 'win32') this.skip();
      withFolder(sound, (folder) => {
        if (name.startsWith('model')) rmSync(join(folder, 'model.safetensors'));
        rmSync(join(folder, name), { force: true });
        symlinkSync('../../blobs/0123', join(folder, name));
        const { message, place } = failsWith('RC0132', () => {
          const checkpoint = openCheckpoint(folder);
          checkpoint.close();
          readTokenizer(checkpoint);
        });
        assert.match(message, /leads to "\.\.\/\.\.\/blobs\/0123", where there is nothing/);
        assert.equal(place?.file, join(folder, name));
      });
    });
  }

  it('RC0132: the folder is a link to what is gone, or config.json a link to itself', function () {
    if (process.platform === 'win32') this.skip();
    withFolder({}, (folder) => {
      symlinkSync('gone', join(folder, 'link'));
      symlinkSync('config.json', join(folder, 'config.json'));
      assert.match(failsWith('RC0132', () => openCheckpoint(join(folder, 'link'))).message, /leads to "gone"/);
      assert.match(failsWith('RC0132', () => openCheckpoint(folder)).message, /ELOOP/);
    });
  });

  it('RC0132: a folder that may not be entered', function () {
    const { getuid, seteuid } = process;
    if (getuid === undefined || seteuid === undefined) this.skip();
    withFolder({ 'closed/model/config.json': '{}' }, (parent) => {
      const folder = join(parent, 'closed');
      const refused = (dir: string): void => {
        assert.match(failsWith('RC0132', () => openCheckpoint(dir)).message, /cannot be read \(EACCES\)/);
      };
      chmodSync(parent, 0o755);
      chmodSync(folder, 0o600);
      // Nothing is closed to root.
      if (getuid() === 0) seteuid(65534);
      try {
        refused(folder);
        refused(join(folder, 'model'));
      } finally {
        if (getuid() === 0) seteuid(0);
        chmodSync(folder, 0o700);
      }
    });
  });

  it('RC0150: a config.json that is no JSON', () => {
    withFolder({ ...sound, 'config.json': '{' }, (folder) => failsWith('RC0150', () => openCheckpoint(folder)));
  });

  it('RC0120: pickled weights only', () => {
    withFolder({ 'config.json': sound['config.json'], 'pytorch_model.bin': 'x' }, (folder) => {
      const { help, place } = failsWith('RC0120', () => openCheckpoint(folder));
      assert.match(help ?? '', /safe_serialization/);
      assert.equal(place?.file, join(folder, 'pytorch_model.bin'));
    });
  });

  it('open the reference checkpoints', function () {
    const folder = sharedData('stories260k');
    if (folder === undefined) this.skip();
    const checkpoint = openCheckpoint(folder);
    assert.equal(checkpoint.name, 'stories260k');
    assert.equal(checkpoint.weights.totalElements, 260_032);
    assert.ok(checkpoint.tokenizerPath !== undefined);
    checkpoint.close();
  });
});
