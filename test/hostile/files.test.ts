/** @file Checkpoints whose files are not what they seem, and shard indices that lead elsewhere. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ok, scratch, tokenizerJson, writeJson } from '../compiler/cli/support.ts';
import { entry, safetensors } from '../compiler/frontend/support.ts';
import { copyOf, damaging, parseSafetensors, prepare } from './support.ts';
import type { DamageCase } from './support.ts';

const weightsFile = (dir: string): string => join(dir, 'model.safetensors');

describe('hostile checkpoints', () => {
  const at = scratch();
  before(() => prepare(at));
  const compileDamaged = damaging(at);

  describe('files', () => {
    const magics: readonly (readonly [string, Uint8Array | string])[] = [
      ['a pickle', Buffer.of(0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46)],
      ['a zip of PyTorch', Buffer.concat([Buffer.from('PK\u0003\u0004'), Buffer.alloc(40)])],
      ['GGUF', 'GGUF\u0003\u0000\u0000\u0000.............'],
      ['a pointer of Git LFS', 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n'],
      ['a web page', '<!DOCTYPE html><html><body>404</body></html>'],
    ];
    for (const [what, bytes] of magics) {
      it(`refuses ${what} as model.safetensors`, () =>
        compileDamaged('RC012', (dir) => {
          writeFileSync(weightsFile(dir), bytes);
        }));
    }
    it('refuses pickled weights by name', () =>
      compileDamaged('RC0120', (dir) => {
        rmSync(weightsFile(dir));
        writeFileSync(join(dir, 'pytorch_model.bin'), Buffer.of(0x80, 2));
      }));
    it('refuses a folder without weights', () =>
      compileDamaged('RC0142', (dir) => {
        rmSync(weightsFile(dir));
      }));
    it('refuses weights that are a link out of the folder', () =>
      compileDamaged('RC0133', (dir) => {
        rmSync(weightsFile(dir));
        symlinkSync(at('sound', 'model.safetensors'), weightsFile(dir));
      }));
    it('refuses weights that are a folder', () =>
      compileDamaged('RC0134', (dir) => {
        rmSync(weightsFile(dir));
        mkdirSync(weightsFile(dir));
      }));
    it('refuses a device, without reading it', () =>
      compileDamaged('RC0133', (dir) => {
        rmSync(join(dir, 'config.json'));
        symlinkSync('/dev/zero', join(dir, 'config.json'));
      }));
    it('refuses a pipe, without waiting for it', function () {
      if (process.platform === 'win32') return this.skip();
      return compileDamaged('RC0134', (dir) => {
        rmSync(join(dir, 'tokenizer.json'));
        execFileSync('mkfifo', [join(dir, 'tokenizer.json')]);
      });
    });
    it('refuses a tokenizer that is a link to a secret', () =>
      compileDamaged('RC0133', (dir) => {
        rmSync(join(dir, 'tokenizer.json'));
        writeFileSync(at('secret.json'), JSON.stringify(tokenizerJson()));
        symlinkSync(at('secret.json'), join(dir, 'tokenizer.json'));
      }));
  });

  describe('shards', () => {
    const sharded =
      (shard: string, change: (map: Record<string, unknown>) => unknown = (map) => map) =>
      (dir: string) => {
        const { header } = parseSafetensors(weightsFile(dir));
        rmSync(weightsFile(dir));
        cpSync(at('sound', 'model.safetensors'), join(dir, 'model-00001-of-00001.safetensors'));
        const map = Object.fromEntries(Object.keys(header).map((name) => [name, shard]));
        writeJson(join(dir, 'model.safetensors.index.json'), { metadata: {}, weight_map: change(map) });
      };
    const own = 'model-00001-of-00001.safetensors';

    it('may be one', async () => {
      const dir = copyOf(at);
      sharded(own)(dir);
      await ok('compile', dir, '-o', at('sharded-out'));
    });

    const names = [
      '../sound/model.safetensors',
      '/etc/passwd',
      'C:\\model.safetensors',
      'https://example.org/model.safetensors',
      '%2e%2e/model.safetensors',
      'a\u0000b.safetensors',
      '',
      '.',
      '..',
      'sub/model.safetensors',
    ];
    for (const name of names) {
      it(`refuses the name ${JSON.stringify(name)}`, () => compileDamaged('RC013', sharded(name)));
    }
    const cases: readonly DamageCase[] = [
      ['RC0132', 'a shard that is not there', sharded('model-00002-of-00002.safetensors')],
      ['RC0130', 'names that are no text', sharded(own, (map) => ({ ...map, extra: 7 }))],
      ['RC0130', 'a map that is a list', sharded(own, () => [])],
      ['RC0135', 'a tensor that its shard does not have', sharded(own, (map) => ({ ...map, extra: own }))],
      [
        'RC0136',
        'a tensor that the index does not have',
        sharded(own, (map) => Object.fromEntries(Object.entries(map).slice(1))),
      ],
      [
        'RC0138',
        'a thousand shards and one',
        sharded(own, (map) => ({
          ...map,
          ...Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`t${i}`, `s${i}.safetensors`])),
        })),
      ],
      [
        'RC0137',
        'a tensor in two shards',
        (dir) => {
          sharded(own, (map) => ({ ...map, extra: 'more.safetensors' }))(dir);
          const [name = ''] = Object.keys(parseSafetensors(join(dir, own)).header);
          writeFileSync(
            join(dir, 'more.safetensors'),
            safetensors({ header: { [name]: entry('F32', [1], 0, 4), extra: entry('F32', [1], 4, 8) }, data: 8 }),
          );
        },
      ],
      [
        'RC0151',
        'an index that maps a tensor twice',
        (dir) => {
          sharded(own)(dir);
          const path = join(dir, 'model.safetensors.index.json');
          writeFileSync(path, readFileSync(path, 'utf8').replace('"weight_map":{', '"weight_map":{},"weight_map":{'));
        },
      ],
      [
        'RC0133',
        'a shard that is a link out of the folder',
        (dir) => {
          sharded(own)(dir);
          rmSync(join(dir, own));
          symlinkSync(at('sound', 'model.safetensors'), join(dir, own));
        },
      ],
    ];
    for (const [code, what, damage] of cases) it(`refuses ${what}`, () => compileDamaged(code, damage));
  });
});
