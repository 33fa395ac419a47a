/** @file Loading from folders: progress, aborts, damaged and missing files. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describeProgram, writeArtifact } from '../../compiler/artifact/index.ts';
import { inspect, load } from '../../runtime/index.ts';
import type { LoadOptions, Progress } from '../../runtime/index.ts';
import { chunkOf, expected, firstIds } from './loading.ts';
import { hasCode, toyContents, toyLoader, withFolder, withToy } from './toy.ts';

const filesOf = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

describe('load from a folder', () => {
  it('takes paths, file addresses and addresses of the manifest', () =>
    withToy({}, async (folder) => {
      for (const source of [folder, `${folder}/`, pathToFileURL(folder), pathToFileURL(folder).href]) {
        const model = await load(source);
        assert.deepEqual(await firstIds(model), expected);
        assert.equal(model.info.name, 'toy');
        model.dispose();
      }
      assert.equal((await inspect(folder)).program.family, 'toy');
    }));

  it('puts the weights where they belong', () =>
    withToy({}, async (folder) => {
      const model = await load(folder);
      const { logits } = await model.forward([5]);
      assert.deepEqual(
        [...(logits[0] ?? [])],
        Array.from({ length: 16 }, (_, i) => (i === 5 ? 10 : (i * 7) % 5)),
      );
    }));

  it('tells its progress', () =>
    withToy({}, async (folder) => {
      const events: Progress[] = [];
      await load(folder, { onProgress: (progress) => events.push(progress) });
      const total =
        filesOf(folder).reduce((sum, file) => sum + readFileSync(file).byteLength, 0) -
        readFileSync(join(folder, 'manifest.json')).byteLength;
      assert.deepEqual(events.at(-1), { status: 'ready', file: '', loaded: total, total });
      assert.ok(events.some(({ status }) => status === 'compile'));
      assert.ok(events.some(({ file }) => file === 'network.rir'));
      assert.ok(events.every(({ loaded }) => loaded <= total));
      assert.ok(events.every(({ loaded }, i) => loaded >= (events[i - 1]?.loaded ?? 0)));
    }));

  it('notices an abort at the last event, too', () =>
    withToy({}, async (folder) => {
      const controller = new AbortController();
      const onProgress = ({ status }: Progress): void => {
        if (status === 'ready') controller.abort();
      };
      await assert.rejects(load(folder, { onProgress, signal: controller.signal }), { name: 'AbortError' });
    }));

  it('names the folder in what it refuses', () =>
    withToy({ change: (wat) => wat.replace('(export "head")', '') }, async (folder) => {
      const named = (file: string): RegExp => new RegExp(`--> .*/toy/${file}`);
      await assert.rejects(load(folder), hasCode('RC0814', named('model\\.wasm')));
      const path = join(folder, 'manifest.json');
      writeFileSync(path, readFileSync(path, 'utf8').replace('"causal-lm"', '"other"'));
      await assert.rejects(inspect(folder), hasCode('RC0803', named('manifest\\.json')));
    }));

  it('notices a changed byte in any file', () =>
    withToy({}, async (folder) => {
      for (const file of filesOf(folder)) {
        const bytes = readFileSync(file);
        const step = Math.max(1, Math.floor(bytes.byteLength / 12));
        for (let at = 0; at < bytes.byteLength; at += step) {
          const damaged = Uint8Array.from(bytes);
          damaged[at] = (damaged[at] ?? 0) ^ 4;
          writeFileSync(file, damaged);
          await assert.rejects(load(folder), { name: 'RadialError' }, `${file} ${at}`);
        }
        writeFileSync(file, bytes);
      }
      await load(folder);
    }));

  it('notices files that are cut, longer, missing or something else', () =>
    withToy({}, async (folder) => {
      for (const name of ['model.wasm', 'index.js', 'tokenizer.json', chunkOf(folder).slice(folder.length + 1)]) {
        const file = join(folder, name);
        const saved = join(folder, 'saved');
        copyFileSync(file, saved);
        truncateSync(file, 10);
        await assert.rejects(load(folder), hasCode('RC0807', /has 10 bytes, expected/));
        writeFileSync(file, Buffer.concat([readFileSync(saved), Buffer.from('x')]));
        await assert.rejects(load(folder), hasCode('RC0807'));
        rmSync(file);
        await assert.rejects(load(folder), hasCode('RC0806', /missing/));
        mkdirSync(file);
        await assert.rejects(load(folder), hasCode('RC0806', /no file|EISDIR/));
        rmSync(file, { recursive: true });
        symlinkSync('/dev/zero', file);
        await assert.rejects(load(folder), hasCode('RC0806', /no file/));
        rmSync(file);
        if (spawnSync('mkfifo', [file]).status === 0) {
          await assert.rejects(load(folder), hasCode('RC0806', /no file/));
          rmSync(file);
        }
        renameSync(saved, file);
      }
      await load(folder);
    }));

  it('notices files of another artifact', () =>
    withToy({}, (a) =>
      withToy({ routed: true }, async (b) => {
        copyFileSync(join(b, 'model.wasm'), join(a, 'model.wasm'));
        await assert.rejects(load(a), { name: 'RadialError' });
      }),
    ));

  it('says when there is no artifact', () =>
    withFolder(async (folder) => {
      await assert.rejects(load(folder), hasCode('RC0801'));
      await assert.rejects(load(join(folder, 'none')), hasCode('RC0801'));
      writeFileSync(join(folder, 'manifest.json'), '{}');
      await assert.rejects(load(folder), hasCode('RC0802'));
      await assert.rejects(load(join(folder, 'manifest.json')), hasCode('RC0801'));
    }));

  it('refuses unknown options and sources', async () => {
    const bad = async (options: object, code: string, message?: RegExp): Promise<void> => {
      await assert.rejects(load('x', options), hasCode(code, message));
    };
    await bad({ onprogress: () => 1 }, 'RC0901', /did you mean "onProgress"/);
    await bad({ progress_callback: () => 1 }, 'RC0901');
    await bad({ onProgress: 3 }, 'RC0902');
    await bad({ signal: 3 }, 'RC0902');
    await bad({ allowRedirects: 'yes' }, 'RC0902');
    await assert.rejects(load('ftp://example.com/model'), hasCode('RC0817'));
    await assert.rejects(load('http://[bad'), hasCode('RC0801'));
    await assert.rejects(load(''), hasCode('RC0817'));
    for (const address of ['file://elsewhere/model', 'file:///%2f']) {
      await assert.rejects(load(address), hasCode('RC0817', /no address of a folder here\n {2}help: /));
    }
    await assert.rejects(load(3 as unknown as string), hasCode('RC0817'));
    await assert.rejects(load('x', null as unknown as LoadOptions), hasCode('RC0902'));
  });

  it('can be aborted', () =>
    withToy({}, async (folder) => {
      await assert.rejects(load(folder, { signal: AbortSignal.abort() }), { name: 'AbortError' });
      const controller = new AbortController();
      const onProgress = (): void => controller.abort(new Error('enough'));
      await assert.rejects(load(folder, { signal: controller.signal, onProgress }), /enough/);
    }));

  it('refuses modules that do not fit', async () => {
    const changes: readonly (readonly [string, RegExp])[] = [
      ['(module (memory (export "memory") 1 1))', /does not export the function reset/],
      ['(module)', /does not export its memory/],
      ['(module (import "env" "f" (func)))', /imports "env.f"/],
    ];
    for (const [wat, message] of changes) {
      await withToy({ change: () => wat }, (folder) => assert.rejects(load(folder), hasCode('RC0814', message)));
    }
    const larger = (wat: string): string => wat.replace('1 1)', '2 2)');
    await withToy({ change: larger }, (folder) =>
      assert.rejects(load(folder), hasCode('RC0814', /memory of 131072 bytes/)),
    );
    const trapping = (wat: string): string =>
      wat.replace('(func $step', '(start $no) (func $no unreachable) (func $step');
    await withToy({ change: trapping }, (folder) => assert.rejects(load(folder), hasCode('RC0813')));
    await withFolder(async (folder) => {
      const wasm = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 9);
      await writeArtifact({ ...toyContents(), wasm }, join(folder, 'out'), { loader: toyLoader });
      await assert.rejects(load(join(folder, 'out')), hasCode('RC0812'));
    });
  });

  it('runs an image program', async () => {
    const { program, ...contents } = toyContents({ tokenizer: [] });
    const attrs = { channels: 1, height: 2, width: 2, size: 2 };
    const kernels = [{ kind: 'patchify', out: null, inputs: {}, attrs }] as const;
    const vision = {
      ...program,
      task: 'image-classification',
      context: 4,
      bodies: [{ name: 'entry', formals: [], kernels, fill: [] }],
      buffers: [...program.buffers, { name: '$pixels', dtype: 'f32', rows: 1, columns: 4, scope: 'state', at: 512 }],
    } as const;
    const tokens = { bos: null, addBos: false, eos: [] };
    const info = describeProgram(vision, { family: 'vit', target: 'wasm-simd', dtype: 'fp32', tokens, labels: [] });
    await withFolder(async (folder) => {
      const out = join(folder, 'out');
      await writeArtifact({ ...contents, program: vision, info }, out, { loader: toyLoader });
      const model = await load(out);
      const flat = await model.forward({ pixelValues: [1, 2, 3, 4] });
      assert.equal(flat.logits.length, 1);
      assert.deepEqual(
        flat,
        await model.forward({
          pixelValues: [
            [
              [1, 2],
              [3, 4],
            ],
          ],
        }),
      );
      assert.deepEqual(flat, await model.forward({ pixelValues: Float32Array.of(1, 2, 3, 4) }));
      assert.deepEqual((await model.forward({ pixelValues: [1, 2, 3, 4] }, { positions: [] })).logits, []);
      const bad = [
        [1, 2, 3],
        [1, 2, 3, NaN],
        [1, 2, 3, 1e300],
        [1, 2, 3, '4'],
        [[[1, 2], [3]]],
        [[[1, 2]]],
        'x',
        [],
        null,
      ];
      for (const pixelValues of bad) await assert.rejects(model.forward({ pixelValues } as never), hasCode('RC0906'));
      await assert.rejects(model.forward({ pixels: [] } as never), hasCode('RC0907'));
      await assert.rejects(model.forward({ pixelValues: [], size: 3 } as never), hasCode('RC0901'));
      await assert.rejects(model.forward([1]), hasCode('RC0907'));
      await assert.rejects(model.generate([1]).next(), hasCode('RC0907'));
      await assert.rejects(model.forward({ pixelValues: [1, 2, 3, 4] }, { mode: 'decode' }), hasCode('RC0902'));
    });
  });
});
