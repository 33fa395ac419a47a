/** @file The small commands: init, targets, explain, bench. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { codes } from '../../../compiler/codes.ts';
import { targets } from '../../../compiler/targets.ts';
import {
  checkpoint,
  fails,
  filesOf,
  ok,
  okJson,
  optConfig,
  radialc,
  scratch,
  vitConfig,
  writeJson,
} from './support.ts';

describe('radialc init', () => {
  const at = scratch();
  const init = (out: string, ...args: readonly string[]): Promise<string> =>
    ok('init', '--config', at('config.json'), '-o', at(out), ...args);
  before(() => {
    writeJson(at('config.json'), optConfig);
  });

  it('writes a checkpoint that compiles, the same for the same seed', async () => {
    assert.match(await init('a', '--seed', '5'), /a: opt, [\d,]+ parameters, \d+\.\d MB\n$/);
    await init('b', '--seed=5');
    await init('c', '--seed=6');
    const weights = (folder: string): Buffer => readFileSync(at(folder, 'model.safetensors'));
    assert.ok(weights('a').equals(weights('b')));
    assert.ok(!weights('a').equals(weights('c')));
    await ok('compile', at('a'), '-o', at('out'));
  });

  it('stores numbers in three formats', async () => {
    await init('f32');
    for (const dtype of ['F16', 'BF16']) {
      const text = await init(dtype, '--dtype', dtype, '--format=json');
      const { bytes, parameters, files } = JSON.parse(text) as {
        bytes: number;
        parameters: number;
        files: readonly string[];
      };
      assert.equal(bytes, 2 * parameters);
      assert.deepEqual(files, ['model.safetensors']);
      await ok('compile', at(dtype), '-o', at('out'));
    }
  });

  it('leaves nothing when it is interrupted or refuses', async () => {
    const args = ['init', '--config', at('config.json'), '-o', at('never')];
    assert.equal((await radialc(args, { signal: AbortSignal.abort() })).code, 130);
    await fails('RC0132', 'init', '--config', at('nowhere.json'), '-o', at('never'));
    assert.ok(!existsSync(at('never')));
    const controller = new AbortController();
    // As a signal does: not at once, but when the event loop turns.
    const update = (): void => {
      setImmediate(() => {
        controller.abort();
      });
    };
    const names = readdirSync(at());
    const { code, stderr } = await radialc(args, {
      progress: { update, stop: () => undefined },
      signal: controller.signal,
    });
    assert.deepEqual([code, stderr], [130, 'interrupted; nothing was left half-written\n']);
    assert.deepEqual(readdirSync(at()), names);
    await init('used');
    await fails('RC0260', 'init', '--config', at('config.json'), '-o', at('used'));
    assert.deepEqual(filesOf(at('used')), ['config.json', 'model.safetensors']);
  });
});

describe('radialc targets', () => {
  it('lists the targets', async () => {
    const text = await ok('targets');
    for (const { name, dtypes } of targets) {
      assert.ok([name, ...dtypes.map((dtype) => dtype.name)].every((word) => text.includes(word)));
    }
    const listed = await okJson<readonly { readonly name: string; readonly dtypes: readonly object[] }[]>('targets');
    assert.deepEqual(
      listed.map(({ name, dtypes }) => [name, dtypes]),
      targets.map(({ name, dtypes }) => [name, dtypes.map((dtype) => ({ name: dtype.name, summary: dtype.summary }))]),
    );
  });
});

describe('radialc explain', () => {
  it('says more about each code', async () => {
    for (const [code, info] of Object.entries(codes)) {
      assert.equal(await ok('explain', code), `${code}: ${info?.title ?? ''}\n\n${info?.explanation ?? ''}\n`);
    }
  });

  it('takes lower case, and answers machines', async () => {
    assert.equal(await ok('explain', 'rc0101'), await ok('explain', 'RC0101'));
    assert.deepEqual(await okJson('explain', 'RC0101'), { code: 'RC0101', ...codes['RC0101'] });
    assert.deepEqual(await okJson('explain'), codes);
  });

  it('lists all codes, in order', async () => {
    const listed = (await ok('explain'))
      .trimEnd()
      .split('\n')
      .map((line) => line.slice(0, 6));
    assert.deepEqual(listed, Object.keys(codes));
    assert.deepEqual(listed, [...listed].sort());
  });

  it('suggests the nearest code', async () => {
    assert.match(await fails('RC1001', 'explain', 'RC01011'), /help: did you mean RC0101\?/);
    assert.match(await fails('RC1001', 'explain', '__proto__'), /help: radialc explain lists all codes/);
    assert.match(await fails('RC1001', 'explain', 'x'.repeat(100_000)), /help: /);
  });
});

interface Bench {
  readonly model: string;
  readonly environment: Readonly<Record<string, unknown>>;
  readonly results: readonly {
    readonly test: string;
    readonly unit: string;
    readonly median: number;
    readonly min: number;
    readonly tokensPerSecond: number;
    readonly samples: readonly number[];
  }[];
}

describe('radialc bench', () => {
  const at = scratch();
  const small = ['-p', '8', '-n', '4', '-r', '3'];
  before(async () => {
    await checkpoint(at('model'));
    await checkpoint(at('vit'), { config: vitConfig });
    await ok('compile', at('model'), '-o', at('out'));
  });

  it('reports every sample to machines', async () => {
    const { model, environment, results } = await okJson<Bench>('bench', at('out'), ...small);
    assert.equal(model, 'model');
    for (const key of ['radialc', 'node', 'v8', 'platform', 'cpu', 'cores', 'memoryGiB']) {
      assert.ok(key in environment, key);
    }
    assert.deepEqual(
      results.map(({ test }) => test),
      ['pp8', 'tg4'],
    );
    for (const { unit, median, min, tokensPerSecond, samples } of results) {
      const sorted = [...samples].sort((a, b) => a - b);
      assert.equal(unit, 'ms');
      assert.deepEqual([samples.length, min, median], [3, sorted[0], sorted[1]]);
      assert.ok(min > 0 && tokensPerSecond > 0);
    }
  });

  it('shows people a table', async () => {
    const text = await ok('bench', at('model'), ...small, '--seed', '3', '-O1');
    assert.match(
      text,
      /^\*\*model\*\* \(opt, wasm-simd, fp32\)\n\n\| test \| median \| min \| tokens\/s \|\n\|---\|---\|---\|---\|\n/,
    );
    assert.equal(text.match(/^\| (pp8|tg4) \| [\d.]+ ms \| [\d.]+ ms \| [\d.]+ \|$/gm)?.length, 2);
    assert.match(text, /node v\d/);
  });

  it('measures a program for several sequences with one, two, four of them', async () => {
    const { results } = await okJson<Bench>('bench', at('model'), ...small, '--sequences', '5');
    assert.deepEqual(
      results.map(({ test }) => test),
      ['pp8', 'tg4', 'tg4×2', 'tg4×4', 'tg4×5'],
    );
    for (const { samples, median, tokensPerSecond, test } of results.slice(1)) {
      assert.equal(samples.length, 3);
      assert.ok(Math.abs(tokensPerSecond * median - 1000 * Number(test.split('×')[1] ?? 1)) < 1e-6);
    }
  });

  it('measures images, too', async () => {
    const { results } = await okJson<Bench>('bench', at('vit'), '-r', '2');
    assert.deepEqual(
      results.map(({ test, samples }) => [test, samples.length]),
      [['image', 2]],
    );
  });

  it('refuses what does not fit into the context', () => fails('RC0905', 'bench', at('out'), '-p', '45', '-n', '4'));
});
