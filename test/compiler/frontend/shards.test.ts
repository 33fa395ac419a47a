/** @file Shards: every way in which an index, its shards and what their names lead to can be wrong. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openSafetensors } from '../../../compiler/frontend/weights/safetensors.ts';
import { openShards } from '../../../compiler/frontend/weights/shards.ts';
import { openWeights } from '../../../compiler/frontend/weights/weights.ts';
import { entry, failsWith, safetensors, withFolder } from './support.ts';

const SINGLE = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';
const posix = process.platform !== 'win32';

const tensor = (name: string): Uint8Array => safetensors({ header: { [name]: entry('F32', [1], 0, 4) }, data: 4 });
const index = (map: unknown): string => JSON.stringify({ metadata: { total_size: 8 }, weight_map: map });

describe('shards', () => {
  const files = (map: unknown, shards: Record<string, Uint8Array> = {}) => ({ [INDEX]: index(map), ...shards });

  it('are read as one set of weights; only they are opened', () => {
    const map = { x: 'a.safetensors', y: 'b.safetensors' };
    withFolder(
      files(map, { 'a.safetensors': tensor('x'), 'b.safetensors': tensor('y'), 'c.safetensors': Buffer.of(1) }),
      (folder) => {
        const weights = openWeights(folder);
        assert.deepEqual(weights.names(), ['x', 'y']);
        assert.equal(weights.file('y'), join(folder, 'b.safetensors'));
        weights.close();
      },
    );
  });

  it('come second to a single file', () => {
    withFolder({ ...files({ x: 'a.safetensors' }), [SINGLE]: tensor('z') }, (folder) => {
      const weights = openWeights(folder);
      assert.deepEqual(weights.names(), ['z']);
      weights.close();
    });
  });

  for (const [what, text] of [
    ['no object', '[]'],
    ['no weight_map', '{}'],
    ['a weight_map that is a list', '{"weight_map":[]}'],
    ['an empty weight_map', '{"weight_map":{}}'],
    ['a name that is no string', '{"weight_map":{"a":1}}'],
  ] as const) {
    it(`RC0130: ${what}`, () => {
      withFolder({ [INDEX]: text }, (folder) => {
        assert.equal(failsWith('RC0130', () => openWeights(folder)).place?.line, 1);
      });
    });
  }

  for (const name of [
    '',
    '.',
    '..',
    '../x.safetensors',
    'a/../../x.safetensors',
    'sub/x.safetensors',
    '/etc/passwd',
    '\\\\host\\share',
    '..\\x.safetensors',
    'C:\\x.safetensors',
    'C:x.safetensors',
    'https://example.org/x.safetensors',
    '%2e%2e%2fx.safetensors',
    'x.safetensors\0.bin',
    'x\n.safetensors',
    'x'.repeat(300),
  ]) {
    it(`RC0131: the name ${JSON.stringify(name.slice(0, 40))}`, () => {
      withFolder(files({ t: name }), (folder) => {
        const { place, help } = failsWith('RC0131', () => openWeights(folder));
        assert.equal(place?.subject, 'field "weight_map.t"');
        assert.ok(help !== undefined);
      });
    });
  }

  it('RC0120: an index of pickled shards', () => {
    withFolder(files({ t: 'pytorch_model-00001-of-00002.bin' }), (folder) =>
      failsWith('RC0120', () => openWeights(folder)),
    );
  });

  it('RC0132: a shard that is missing, before others are read', () => {
    withFolder(files({ t: 'a.safetensors' }), (folder) => {
      assert.equal(failsWith('RC0132', () => openWeights(folder)).place?.file, join(folder, 'a.safetensors'));
    });
  });

  it('RC0135, RC0136, RC0137: index and shards that disagree', () => {
    const shards = { 'a.safetensors': tensor('x'), 'b.safetensors': tensor('y') };
    const refuse = (code: 'RC0135' | 'RC0136' | 'RC0137', map: unknown, more: Record<string, Uint8Array> = {}) => {
      withFolder(files(map, { ...shards, ...more }), (folder) => failsWith(code, () => openWeights(folder)));
    };
    refuse('RC0135', { x: 'a.safetensors', y: 'b.safetensors', z: 'b.safetensors' });
    refuse('RC0135', { x: 'b.safetensors', y: 'a.safetensors' });
    refuse(
      'RC0136',
      { x: 'a.safetensors' },
      {
        'a.safetensors': safetensors({ header: { x: entry('U8', [0], 0, 0), y: entry('U8', [0], 0, 0) } }),
      },
    );
    refuse(
      'RC0137',
      { x: 'a.safetensors', y: 'b.safetensors' },
      {
        'b.safetensors': safetensors({ header: { x: entry('U8', [0], 0, 0), y: entry('U8', [0], 0, 0) } }),
      },
    );
  });

  it('RC0138: 100,000 shards', () => {
    const map = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`t${i}`, `s${i}.safetensors`]));
    withFolder(files(map), (folder) => failsWith('RC0138', () => openWeights(folder)));
  });
});

describe('what a name leads to', () => {
  before(function () {
    if (!posix) this.skip();
  });

  it('RC0133: a link out of the folder', () => {
    withFolder({ 'secret/x': tensor('x'), 'model/config.json': '{}' }, (folder) => {
      symlinkSync(join('..', 'secret', 'x'), join(folder, 'model', SINGLE));
      failsWith('RC0133', () => openWeights(join(folder, 'model')));
    });
  });

  it('RC0133: a link through a folder beside it whose name starts alike', () => {
    withFolder({ 'model2/x': tensor('x'), 'model/config.json': '{}' }, (folder) => {
      symlinkSync(join(folder, 'model2', 'x'), join(folder, 'model', SINGLE));
      failsWith('RC0133', () => openWeights(join(folder, 'model')));
    });
  });

  it('follows links inside the folder and a linked folder that the user names', () => {
    withFolder({ 'model/real.safetensors': tensor('x') }, (folder) => {
      symlinkSync('real.safetensors', join(folder, 'model', SINGLE));
      symlinkSync('model', join(folder, 'alias'));
      for (const name of ['model', 'alias']) openWeights(join(folder, name)).close();
    });
  });

  it('follows links of the Hugging Face cache to its blobs, and to nothing else in it', () => {
    withFolder({ 'models--x/blobs/abc': tensor('x'), 'models--x/refs/abc': tensor('x') }, (folder) => {
      const snapshot = join(folder, 'models--x', 'snapshots', 'r1');
      mkdirSync(snapshot, { recursive: true });
      symlinkSync('../../blobs/abc', join(snapshot, SINGLE));
      openWeights(snapshot).close();
      renameSync(join(snapshot, SINGLE), join(snapshot, 'old'));
      symlinkSync('../../refs/abc', join(snapshot, SINGLE));
      failsWith('RC0133', () => openWeights(snapshot));
    });
  });

  it('takes hard links as files', () => {
    withFolder({ other: tensor('x'), 'model/config.json': '{}' }, (folder) => {
      linkSync(join(folder, 'other'), join(folder, 'model', SINGLE));
      openWeights(join(folder, 'model')).close();
    });
  });

  it('RC0134: a folder, and a pipe without waiting for its writer', () => {
    withFolder({ 'model.safetensors/x': 'x' }, (folder) => {
      assert.match(failsWith('RC0134', () => openWeights(folder)).message, /a folder/);
    });
    withFolder({}, (folder) => {
      execFileSync('mkfifo', [join(folder, SINGLE)]);
      assert.match(failsWith('RC0134', () => openWeights(folder)).message, /a pipe/);
    });
    assert.match(failsWith('RC0134', () => openSafetensors('/dev/zero')).message, /a device/);
  });

  it('RC0132: a folder that cannot be listed', () => {
    withFolder({}, (folder) => {
      const gone = join(folder, 'gone');
      assert.equal(failsWith('RC0132', () => openShards(gone)).place?.file, gone);
      assert.match(failsWith('RC0132', () => openShards('a\0b')).message, /ERR_INVALID_ARG_VALUE/);
    });
  });

  it('RC0132: a link to nothing, a link to itself', () => {
    withFolder({ [INDEX]: index({ t: 'a.safetensors' }) }, (folder) => {
      symlinkSync('a.safetensors', join(folder, 'a.safetensors'));
      assert.match(failsWith('RC0132', () => openWeights(folder)).message, /ELOOP/);
    });
    withFolder({}, (folder) => {
      symlinkSync('nothing', join(folder, SINGLE));
      failsWith('RC0132', () => openWeights(folder));
    });
  });

  it('closes what it opened when a later shard is wrong', function () {
    if (process.platform !== 'linux') this.skip();
    const open = (): number => readdirSync('/proc/self/fd').length;
    withFolder(
      { [INDEX]: index({ x: 'a.safetensors', y: 'b.safetensors' }), 'a.safetensors': tensor('x') },
      (folder) => {
        writeFileSync(join(folder, 'b.safetensors'), 'broken');
        const before = open();
        failsWith('RC0101', () => openWeights(folder));
        assert.equal(open(), before);
      },
    );
  });
});
