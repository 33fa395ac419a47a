/** @file Artifacts that were changed after they were written: `run` refuses each, whatever byte it was. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  cpSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createRandom } from '../../ir/index.ts';
import { manifestText, textToSign } from '../../runtime/artifact/index.ts';
import type { Manifest, UnsignedManifest } from '../../runtime/artifact/index.ts';
import { filesOf, ok, radialc, scratch, writeJson } from '../compiler/cli/support.ts';
import { assertRefused, prepare, refuses } from './support.ts';

/** Positions of a file that are tried; all of them where it has no more. */
const POSITIONS = 200;

describe('hostile artifacts', () => {
  const at = scratch();
  const runArgs = (): readonly string[] => ['run', at('out'), '--ids', '1,2', '-n', '1'];
  let files: readonly string[] = [];

  before(async () => {
    await prepare(at);
    writeJson(at('sound', 'tokenizer_config.json'), { add_bos_token: true });
    await ok('compile', at('sound'), '-o', at('out'));
    cpSync(at('out'), at('kept'), { recursive: true });
    files = filesOf(at('kept'));
    assert.equal(files.length, 10);
  });

  afterEach(() => {
    rmSync(at('out'), { recursive: true, force: true });
    cpSync(at('kept'), at('out'), { recursive: true });
  });

  /** Flips one bit of a file, runs, and puts it back. */
  const runFlipped = async (file: string, position: number, bit: number): Promise<void> => {
    const fd = openSync(at('out', file), 'r+');
    try {
      const byte = Buffer.alloc(1);
      readSync(fd, byte, 0, 1, position);
      writeSync(fd, Buffer.of((byte[0] ?? 0) ^ (1 << bit)), 0, 1, position);
      const ran = await radialc(runArgs());
      writeSync(fd, byte, 0, 1, position);
      assert.equal(ran.code, 1, `bit ${bit} of byte ${position} of ${file}: ${ran.stderr}`);
      assertRefused(ran, 'RC08');
    } finally {
      closeSync(fd);
    }
  };

  it('are made of one that runs', async () => {
    await ok(...runArgs());
  });

  it('give no commands to the terminal', async () => {
    const path = at('out', 'manifest.json');
    const { sha256: _, ...sound } = JSON.parse(readFileSync(path, 'utf8')) as Manifest;
    const program = { ...sound.program, name: 'a\u001b[2J\u009bb', family: '\u001b]0;x\u0007' };
    const signed = (manifest: UnsignedManifest): string => {
      return manifestText({ ...manifest, sha256: createHash('sha256').update(textToSign(manifest)).digest('hex') });
    };
    writeFileSync(path, signed({ ...sound, program }));
    const text = await ok('inspect', at('out'));
    assert.match(text, /^a\\u001b\[2J\\u009bb: \\u001b\]0;x\\u0007, /);
    const json = await ok('inspect', at('out'), '--format=json');
    assert.equal((JSON.parse(json) as { name: string }).name, program.name);
    const bench = await ok('bench', at('out'), '-p', '2', '-n', '1', '-r', '1');
    const { stderr } = await radialc(['verify', at('out'), at('vit')]);
    assert.match(stderr, /^error\[RC1007\]/);
    for (const shown of [text, json, bench, stderr]) assert.doesNotMatch(shown, /(?!\n)\p{Cc}/u);
  });

  it('are refused for any flipped bit of any file', async function () {
    this.timeout(300_000);
    const random = createRandom(20_261_123);
    for (const file of files) {
      const { size } = statSync(at('kept', file));
      const count = Math.min(size, POSITIONS);
      for (let i = 0; i < count; i++) {
        // One position in each of `count` equal parts, the first and the last byte among them.
        const [from, to] = [Math.floor((i * size) / count), Math.floor(((i + 1) * size) / count)];
        const position = i === 0 ? 0 : i === count - 1 ? size - 1 : from + (random() % (to - from));
        await runFlipped(file, position, random() % 8);
      }
    }
    await ok(...runArgs());
  });

  it('are refused where a file is missing, cut, longer, empty, a folder, a pipe or swapped', async () => {
    const damages: readonly ((path: string) => void)[] = [
      (path) => {
        rmSync(path);
      },
      (path) => {
        truncateSync(path, statSync(path).size - 1);
      },
      (path) => {
        writeFileSync(path, '\n', { flag: 'a' });
      },
      (path) => {
        writeFileSync(path, '');
      },
      (path) => {
        rmSync(path);
        mkdirSync(path);
      },
      (path) => {
        rmSync(path);
        symlinkSync('/dev/null', path);
      },
      (path) => {
        rmSync(path);
        if (process.platform !== 'win32') execFileSync('mkfifo', [path]);
      },
      (path) => {
        writeFileSync(path, '<!DOCTYPE html><title>404</title>');
      },
    ];
    for (const file of files) {
      for (const damage of damages) {
        damage(at('out', file));
        // Without a manifest the folder is taken for a checkpoint.
        const ran = await radialc(runArgs());
        assertRefused(ran, file === 'manifest.json' && ran.stderr.includes('RC0201') ? 'RC0201' : 'RC08');
        rmSync(at('out', file), { recursive: true, force: true });
        cpSync(at('kept', file), at('out', file));
      }
    }
    await ok(...runArgs());
  });

  it('are refused where files are mixed with those of another', async () => {
    await ok('compile', at('sound'), '-o', at('other'), '-O0');
    for (const file of ['manifest.json', 'model.wasm', 'network.rir', 'kernels.rir']) {
      cpSync(at('other', file), at('out', file));
      await refuses('RC08', runArgs());
      cpSync(at('kept', file), at('out', file));
    }
  });

  it('may lie beside other files, which are not read', async () => {
    writeFileSync(at('out', 'notes.txt'), 'mine');
    await ok(...runArgs());
  });

  it('are refused by the commands that read their IR', async () => {
    const weights = files.find((file) => file.startsWith('weights')) ?? '';
    const input = writeJson(at('ids.json'), { input_ids: [[1, 2]] });
    const flip = (file: string): void => {
      const bytes = readFileSync(at('kept', file));
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
      writeFileSync(at('out', file), bytes);
    };
    for (const file of ['network.rir', 'kernels.rir', weights]) {
      flip(file);
      await refuses('RC0835', ['forward', at('out'), '--input', input, '--backend=interpreter']);
      if (file !== weights) await refuses('RC0835', ['inspect', at('out')]);
      await refuses('RC08', ['verify', at('out'), at('sound')]);
      rmSync(at('out', file));
      await refuses('RC', ['forward', at('out'), '--input', input, '--backend=interpreter']);
      if (file !== weights) await refuses('RC', ['inspect', at('out'), '--ir', 'kernels']);
      cpSync(at('kept', file), at('out', file));
    }
  });

  it('are refused with a manifest that is made up', async () => {
    const texts = [
      '',
      '{',
      'null',
      '[]',
      '{}',
      '{"format":"radialc"}',
      `{"a":${'['.repeat(100_000)}`,
      '{"__proto__":{"format":1}}',
      '\u0000',
    ];
    for (const text of texts) {
      writeFileSync(at('out', 'manifest.json'), text);
      for (const args of [
        runArgs(),
        ['inspect', at('out')],
        ['verify', at('out'), at('sound')],
        ['bench', at('out')],
      ]) {
        await refuses('RC080', args);
      }
    }
  });

  it('are refused with a manifest that was edited', async () => {
    const text = readFileSync(at('kept', 'manifest.json'), 'utf8');
    const edits: readonly (readonly [string, string, string])[] = [
      ['RC0805', '"name":"sound"', '"name":"noise"'],
      ['RC0804', '"formatVersion":1', '"formatVersion":999'],
      ['RC0803', '"maxHops":4', '"maxHops":-4'],
      ['RC0803', '"file":"model.wasm"', '"file":"../kept/model.wasm"'],
      ['RC0803', '"file":"weights/00000', '"file":"/weights/00000'],
    ];
    for (const [code, from, to] of edits) {
      assert.ok(text.includes(from), from);
      writeFileSync(at('out', 'manifest.json'), text.replace(from, to));
      await refuses(code, runArgs());
    }
  });

  it('are not replaced by a compilation that fails, nor when they are not artifacts', async () => {
    renameSync(at('out', 'manifest.json'), at('out', 'manifest.old'));
    await refuses('RC0830', ['compile', at('sound'), '-o', at('out')]);
    assert.deepEqual(filesOf(at('out')).length, files.length);
    renameSync(at('out', 'manifest.old'), at('out', 'manifest.json'));
    await refuses('RC0254', ['compile', at('sound'), '-o', at('out'), '--context-window-size=4000']);
    await ok(...runArgs());
  });
});
