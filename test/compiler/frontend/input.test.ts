/** @file What the compiler starts from: files that are none, texts and their weights, the names of labels. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from '../../../compiler/build.ts';
import { initCheckpoint } from '../../../compiler/frontend/index.ts';
import { openInput } from '../../../compiler/input.ts';
import { RadialError } from '../../../ir/diagnostics/diagnostic.ts';
import { tinyVit } from '../families/support.ts';
import { assertHelpful, entry, failsWith, safetensors, withFolder } from './support.ts';

const posix = process.platform !== 'win32';
const text = `network @m {task: "causal-lm", context: 8, kv: "absent", revisit: "overwrite", max_hops: 1}

const @table : f32[5, 4] = tensor {name: "table"}

entry(%ids: i32[tokens], %pos: i32[tokens]) {
  %0 = embed(%ids, @table) {offset: 0}
  yield %0
} -> exit

exit(%x: f32[tokens, 4]) {
  %0 = linear(%x, @table)
  yield %0
}
`;
const weights = (rows: number): Uint8Array =>
  safetensors({ header: { table: entry('F32', [rows, 4], 0, 16 * rows) }, data: 16 * rows });

describe('inputs: texts', () => {
  it('are read with their weights', () => {
    withFolder({ 'm.rir': text, 'w/model.safetensors': weights(5) }, (folder) => {
      const input = openInput(join(folder, 'm.rir'), { weights: join(folder, 'w') });
      assert.equal(input.module.name, 'm');
      assert.deepEqual([input.labels, input.tokenizer], [[], []]);
      assert.equal(input.source.read('table', 0, 20).length, 20);
      input.close();
    });
  });

  it('RC1003: no file, and one that is not UTF-8', () => {
    withFolder({ 'bad.rir': Uint8Array.of(0xff) }, (folder) => {
      for (const name of ['none.rir', 'bad.rir']) diagnosed('RC1003', () => openInput(join(folder, name)));
    });
  });

  it('RC0132: a link to what is gone', function () {
    if (!posix) this.skip();
    withFolder({}, (folder) => {
      symlinkSync('gone.rir', join(folder, 'm.rir'));
      assert.match(failsWith('RC0132', () => openInput(join(folder, 'm.rir'))).message, /leads to "gone\.rir"/);
    });
  });

  it('RC0155: a text of more than 12 MiB, before it is read; RC0406: one of more characters than are taken', () => {
    withFolder({ 'm.rir': '', 'n.rir': ' '.repeat(2 ** 22 + 1) }, (folder) => {
      truncateSync(join(folder, 'm.rir'), 2 ** 40);
      failsWith('RC0155', () => openInput(join(folder, 'm.rir')));
      assert.throws(() => openInput(join(folder, 'n.rir')), /RC0406/);
    });
  });

  it('RC0134: a device, a pipe, a folder, at once', function () {
    if (!posix) this.skip();
    withFolder({}, (folder) => {
      symlinkSync('/dev/zero', join(folder, 'zero.rir'));
      execFileSync('mkfifo', [join(folder, 'pipe.rir')]);
      mkdirSync(join(folder, 'folder.rir'));
      for (const [name, found] of [
        ['zero.rir', /a device/],
        ['pipe.rir', /a pipe/],
        ['folder.rir', /a folder/],
      ] as const) {
        const { message, place } = failsWith('RC0134', () => openInput(join(folder, name)));
        assert.match(message, found);
        assert.equal(place?.file, join(folder, name));
      }
    });
  });

  it('RC1008: weights that do not fit, which are closed again', function () {
    if (process.platform !== 'linux') this.skip();
    const open = (): number => readdirSync('/proc/self/fd').length;
    withFolder({ 'm.rir': text, 'w/model.safetensors': weights(6) }, (folder) => {
      const before = open();
      const message = diagnosed('RC1008', () => openInput(join(folder, 'm.rir'), { weights: join(folder, 'w') }));
      assert.match(message, /\[6, 4\], the text says \[5, 4\]/);
      diagnosed('RC1008', () => openInput(join(folder, 'm.rir')));
      assert.equal(open(), before);
    });
  });
});

describe('inputs: files of a checkpoint that are none', () => {
  let parent = '';
  const at = (...parts: readonly string[]): string => join(parent, ...parts);
  before(async function () {
    if (!posix) this.skip();
    parent = mkdtempSync(join(tmpdir(), 'radialc-input-'));
    await initCheckpoint({ config: tinyVit, seed: 1, outDir: at('model') });
  });
  after(() => {
    if (parent !== '') rmSync(parent, { recursive: true });
  });

  for (const name of ['config.json', 'model.safetensors', 'model.safetensors.index.json', 'tokenizer.json']) {
    it(`RC0133, RC0134: ${name}`, () => {
      const replace = (make: (path: string) => void): void => {
        const aside = ['config.json', 'model.safetensors'].filter((other) => other !== name);
        rmSync(at('odd'), { recursive: true, force: true });
        mkdirSync(at('odd'));
        for (const other of name.endsWith('index.json') ? ['config.json'] : aside) {
          execFileSync('cp', [at('model', other), at('odd', other)]);
        }
        make(at('odd', name));
      };
      const device = (path: string): void => {
        symlinkSync('/dev/zero', path);
      };
      replace(device);
      failsWith('RC0133', () => openInput(at('odd')));
      replace((path) => execFileSync('mkfifo', [path]));
      assert.match(failsWith('RC0134', () => openInput(at('odd'))).message, /a pipe/);
      replace(mkdirSync);
      assert.match(failsWith('RC0134', () => openInput(at('odd'))).message, /a folder/);
    });
  }
});

describe('inputs: labels', () => {
  const labelsOf = async (id2label: Readonly<Record<string, string>>): Promise<readonly string[]> => {
    const parent = mkdtempSync(join(tmpdir(), 'radialc-labels-'));
    try {
      await initCheckpoint({ config: { ...tinyVit, id2label }, seed: 1, outDir: join(parent, 'model') });
      const built = await build({ input: join(parent, 'model') });
      built.close();
      return built.info.labels;
    } finally {
      rmSync(parent, { recursive: true });
    }
  };

  it('of an image classifier are those of its config', async () => {
    assert.deepEqual(await labelsOf({ 1: 'dog', 0: 'cat' }), ['cat', 'dog']);
  });

  it('are as short as a manifest wants them', async () => {
    const [exact, long, pair] = await labelsOf({
      0: 'x'.repeat(1000),
      1: 'x'.repeat(1001),
      2: `${'x'.repeat(998)}😀😀`,
    });
    assert.equal(exact, 'x'.repeat(1000));
    assert.equal(long, `${'x'.repeat(999)}…`);
    assert.equal(pair, `${'x'.repeat(998)}…`);
  });

  it('are none where the config has none', async () => {
    const parent = mkdtempSync(join(tmpdir(), 'radialc-labels-'));
    await initCheckpoint({ config: tinyVit, seed: 1, outDir: join(parent, 'model') });
    const input = openInput(join(parent, 'model'));
    input.close();
    assert.deepEqual(input.labels, []);
    writeFileSync(join(parent, 'model', 'tokenizer.json'), '{');
    failsWith('RC0150', () => openInput(join(parent, 'model')));
    rmSync(parent, { recursive: true });
  });
});

/** The message of the one diagnostic that `run` ends in, for codes that are not the front end's. */
function diagnosed(code: string, run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (!(error instanceof RadialError)) throw error;
    error.diagnostics.forEach(assertHelpful);
    assert.equal(error.diagnostics[0]?.code, code);
    return error.message;
  }
  return assert.fail(`expected ${code}, but nothing was wrong`);
}
