/** @file Writing artifacts: all or nothing, the same bytes for the same input. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeProgram, writeArtifact } from '../../../compiler/artifact/index.ts';
import type { ArtifactContents } from '../../../compiler/artifact/index.ts';
import { readManifest } from '../../../runtime/artifact/index.ts';
import type { ProgramInfo } from '../../../runtime/artifact/index.ts';
import { load } from '../../../runtime/index.ts';
import { hasCode, toyContents, toyLoader, toySource, withFolder } from '../../runtime/toy.ts';

const options = { loader: toyLoader };
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Every file below a folder, with its hash. */
function contentsOf(folder: string, prefix = ''): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory()
        ? contentsOf(path, `${prefix}${entry.name}/`)
        : [`${prefix}${entry.name} ${sha256(readFileSync(path))}`];
    });
}

const names = (lines: readonly string[]): readonly string[] =>
  lines.map((line) => line.replace(/ .*/, '').replace(/-[0-9a-f]{64}/, '-HASH'));

describe('writeArtifact', () => {
  it('writes what the manifest says', () =>
    withFolder(async (folder) => {
      const out = join(folder, 'deep/er/out');
      const written = await writeArtifact(toyContents(), out, options);
      assert.deepEqual(names(contentsOf(out)), [
        'index.d.ts',
        'index.js',
        'kernels.rir',
        'manifest.json',
        'model.wasm',
        'network.rir',
        'tokenizer.js',
        'tokenizer.json',
        'tokenizer_config.json',
        'weights/00000-HASH.bin',
      ]);
      const manifest = await readManifest(readFileSync(join(out, 'manifest.json')), sha256);
      assert.deepEqual(manifest, written);
      for (const entry of [manifest.wasm, ...manifest.weights, ...manifest.tokenizer, ...manifest.loader]) {
        const bytes = readFileSync(join(out, entry.file));
        assert.deepEqual([bytes.byteLength, sha256(bytes)], [entry.bytes, entry.sha256]);
      }
      assert.deepEqual(readdirSync(join(folder, 'deep/er')), ['out']);
    }));

  it('writes the same bytes for the same input, over an older artifact too', () =>
    withFolder(async (folder) => {
      const [a, b] = [join(folder, 'a'), join(folder, 'b')];
      await writeArtifact(toyContents(), a, options);
      await writeArtifact(toyContents({ routed: true }), b, options);
      assert.notDeepEqual(contentsOf(a), contentsOf(b));
      await writeArtifact(toyContents(), b, options);
      assert.deepEqual(contentsOf(a), contentsOf(b));
      assert.deepEqual(readdirSync(folder).sort(), ['a', 'b']);
    }));

  it('writes over an artifact that carries IR', () =>
    withFolder(async (folder) => {
      const ir = [{ file: 'kernels.rir', bytes: Uint8Array.of(10) }];
      await writeArtifact({ ...toyContents(), ir }, join(folder, 'out'), options);
      const manifest = await writeArtifact({ ...toyContents(), ir }, join(folder, 'out'), options);
      assert.deepEqual(
        manifest.ir.map(({ file }) => file),
        ['kernels.rir'],
      );
    }));

  it('writes into an empty folder, and no weights where there are none', () =>
    withFolder(async (folder) => {
      const contents = toyContents({ tokenizer: [] });
      const program = {
        ...contents.program,
        weights: [],
        consts: [],
        memory: { weightsAt: 8192, weightsBytes: 0, total: 65_536 },
      };
      const facts = { family: 'toy', target: 'wasm-simd', dtype: 'fp32', tokens: contents.info.tokens, labels: [] };
      const manifest = await writeArtifact(
        { ...contents, program, info: describeProgram(program, facts) },
        folder,
        options,
      );
      assert.deepEqual([manifest.weights, manifest.tokenizer], [[], []]);
      assert.ok(existsSync(join(folder, 'manifest.json')));
    }));

  it('replaces nothing but artifacts', () =>
    withFolder(async (folder) => {
      const refuses = async (out: string, message: RegExp): Promise<void> => {
        await assert.rejects(writeArtifact(toyContents(), out, options), hasCode('RC0830', message));
      };
      const file = join(folder, 'file');
      writeFileSync(file, 'x');
      await refuses(file, /something else than a folder/);
      const notes = join(folder, 'notes');
      mkdirSync(notes);
      writeFileSync(join(notes, 'notes.txt'), 'mine');
      await refuses(notes, /not empty and is no artifact/);
      writeFileSync(join(notes, 'manifest.json'), '{"format":"webapp"}');
      await refuses(notes, /no artifact/);
      const out = join(folder, 'out');
      await writeArtifact(toyContents(), out, options);
      writeFileSync(join(out, 'weights/mine.bin'), 'x');
      await refuses(out, /weights\/mine\.bin/);
      writeFileSync(join(out, 'README.md'), 'x');
      await refuses(out, /README\.md/);
      symlinkSync(out, join(folder, 'link'));
      await refuses(join(folder, 'link'), /something else/);
      await refuses('/', /root/);
      assert.equal(readFileSync(join(notes, 'notes.txt'), 'utf8'), 'mine');
      assert.deepEqual(readdirSync(folder).sort(), ['file', 'link', 'notes', 'out']);
    }));

  it('says where an older artifact is left that cannot be deleted, for root too', () =>
    withFolder(async (folder) => {
      if (process.getuid === undefined) return;
      chmodSync(folder, 0o777);
      const out = join(folder, 'out');
      await writeArtifact(toyContents(), out, options);
      chmodSync(join(out, 'weights'), 0o555);
      const error = await asNobody(() => writeArtifact(toyContents(), out, options));
      if (error === undefined) return;
      assert.ok(hasCode('RC0837', /--> .*\.old\n/)(error));
      const [old = '', ...others] = readdirSync(folder).sort();
      assert.deepEqual([old.endsWith('.old'), others], [true, ['out']]);
      await load(out);
      chmodSync(join(folder, old, 'weights'), 0o700);
    }));

  it('leaves nothing behind when it fails or is aborted', () =>
    withFolder(async (folder) => {
      const bad: ArtifactContents = { ...toyContents(), source: { ...toySource, read: () => Float32Array.of(NaN) } };
      await assert.rejects(writeArtifact(bad, join(folder, 'out'), options), hasCode('RC0119', /bias/));
      const controller = new AbortController();
      const onProgress = (): void => controller.abort();
      const aborted = writeArtifact(toyContents(), join(folder, 'out'), {
        ...options,
        onProgress,
        signal: controller.signal,
      });
      await assert.rejects(aborted, { name: 'AbortError' });
      assert.deepEqual(readdirSync(folder), []);
    }));

  it('keeps the older artifact when it fails', () =>
    withFolder(async (folder) => {
      const out = join(folder, 'out');
      await writeArtifact(toyContents(), out, options);
      const before = contentsOf(out);
      await assert.rejects(writeArtifact(toyContents(), out, { ...options, signal: AbortSignal.abort() }), {
        name: 'AbortError',
      });
      assert.deepEqual(contentsOf(out), before);
      assert.deepEqual(readdirSync(folder), ['out']);
    }));

  it('tells what the system refuses', () =>
    withFolder(async (folder) => {
      writeFileSync(join(folder, 'file'), 'x');
      await assert.rejects(
        writeArtifact(toyContents(), join(folder, 'file/out'), options),
        hasCode('RC0831', /ENOTDIR|EEXIST/),
      );
      await assert.rejects(
        writeArtifact(toyContents(), join(folder, 'x'.repeat(300)), options),
        hasCode('RC0831', /ENAMETOOLONG/),
      );
      if (process.getuid?.() === 0) return;
      chmodSync(folder, 0o500);
      await assert.rejects(writeArtifact(toyContents(), join(folder, 'out'), options), hasCode('RC0831', /EACCES/));
      chmodSync(folder, 0o700);
    }));

  it('tells what the system does not let it look at, for root too', () =>
    withFolder(async (folder) => {
      if (process.getuid === undefined) return;
      chmodSync(folder, 0o777);
      const hidden = join(folder, 'hidden');
      mkdirSync(hidden);
      writeFileSync(join(hidden, 'mine.txt'), 'mine');
      chmodSync(hidden, 0o300);
      const error = await asNobody(() => writeArtifact(toyContents(), hidden, options));
      if (error !== undefined) assert.ok(hasCode('RC0831', /EACCES in scandir/)(error));
      const out = join(folder, 'out');
      await writeArtifact(toyContents(), out, options);
      chmodSync(join(out, 'manifest.json'), 0o000);
      const second = await asNobody(() => writeArtifact(toyContents(), out, options));
      if (second !== undefined) assert.ok(hasCode('RC0831', /EACCES in open/)(second));
      assert.deepEqual(readdirSync(folder).sort(), ['hidden', 'out']);
    }));

  it('writes nothing that the runtime would refuse', () =>
    withFolder(async (folder) => {
      const { info, ...contents } = toyContents();
      const cases: readonly (readonly [Partial<ProgramInfo>, RegExp])[] = [
        [{ name: 'x'.repeat(1001) }, /a string of at most 1000 characters.*\n {2}--> .*"program\.name"\n {2}help: /],
        [
          { tokens: { ...info.tokens, eos: Array.from({ length: 1001 }, () => 3) } },
          /1001 items.*\n.*"program\.tokens\.eos"/,
        ],
        [{ routing: { ...info.routing, maxHops: 65_537 } }, /from 0 to 65536.*\n.*"program\.routing\.maxHops"/],
      ];
      for (const [change, message] of cases) {
        const writing = writeArtifact({ ...contents, info: { ...info, ...change } }, join(folder, 'out'), options);
        await assert.rejects(writing, hasCode('RC0836', message));
        assert.deepEqual(readdirSync(folder), []);
      }
      const most = { name: 'x'.repeat(1000), tokens: { ...info.tokens, eos: Array.from({ length: 1000 }, () => 3) } };
      await writeArtifact({ ...contents, info: { ...info, ...most } }, join(folder, 'out'), options);
    }));

  it('carries the built runtime, or says how to build it', () =>
    withFolder(async (folder) => {
      const built = existsSync(new URL('../../../dist/runtime-bundle/index.d.ts', import.meta.url));
      const writing = writeArtifact(toyContents(), join(folder, 'out'));
      if (!built) await assert.rejects(writing, hasCode('RC0832', /npm run build/));
      else {
        assert.deepEqual(
          (await writing).loader.map(({ file }) => file),
          ['index.d.ts', 'index.js', 'tokenizer.js'],
        );
      }
    }));
});

/** What goes wrong without root's rights; undefined where nothing does or where they cannot be given up. */
async function asNobody(operation: () => Promise<unknown>): Promise<unknown> {
  const id = process.geteuid?.();
  if (id === undefined || process.seteuid === undefined) return undefined;
  try {
    if (id === 0) process.seteuid(65_534);
  } catch {
    return undefined;
  }
  try {
    await operation();
    return undefined;
  } catch (error) {
    return error;
  } finally {
    process.seteuid(id);
  }
}
