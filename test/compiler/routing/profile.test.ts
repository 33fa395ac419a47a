/** @file `radialc profile` and `merge`: ratios against the interpreter, shards, interruption, the report. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { loadCheckpoint } from '../../../compiler/frontend/index.ts';
import type { Summary } from '../../../compiler/routing/index.ts';
import { createInterpreter } from '../../../ir/index.ts';
import { createTokenizer } from '../../../runtime/tokenizer.ts';
import {
  checkpoint,
  filesOf,
  ok,
  okJson,
  radialc,
  scratch,
  tokenizerJson,
  vitConfig,
  writeJson,
} from '../cli/support.ts';
import { assertStatistics } from './support.ts';

interface Report {
  readonly model: { readonly sha256: string; readonly family: string };
  readonly window: number;
  readonly windows: number;
  readonly tokens: number;
  readonly tokensPerSecond: number;
  readonly statistics: Pick<Summary, 'model' | 'roles'>;
  readonly blocks: Summary['blocks'];
}

const sentence = 'the cat sat on the other mat. then the thin moth went there. ';
const text = sentence.repeat(12);
const other = 'a second text, shorter. ';

/** The ratios f / x and f / (x + f) of each block, over the windows that the texts are cut into. */
function interpreted(
  dir: string,
  texts: readonly string[],
  window: number,
): Map<number, { input: number[]; output: number[] }> {
  const { network, weights, checkpoint: opened } = loadCheckpoint(dir);
  const interpreter = createInterpreter(network, weights);
  const tokenizer = createTokenizer(tokenizerJson(), undefined);
  const ratios = new Map(network.blocks.map(({ id }) => [id, { input: [] as number[], output: [] as number[] }]));
  for (const each of texts) {
    const ids = tokenizer.encode(each);
    for (let at = 0; at < ids.length; at += window - 1) {
      interpreter.runTokens([2, ...ids.slice(at, at + window - 1)], {
        onBlock: ({ block, x, f }) => {
          const norm = Math.hypot(...f);
          ratios.get(block)?.input.push(norm / Math.hypot(...x));
          ratios.get(block)?.output.push(norm / Math.hypot(...x.map((value, i) => value + (f[i] ?? NaN))));
        },
      });
    }
  }
  opened.close();
  return ratios;
}

describe('radialc profile', () => {
  const at = scratch();
  before(async () => {
    await checkpoint(at('model'));
    await checkpoint(at('copy'));
    await checkpoint(at('other'), { seed: 2 });
    await checkpoint(at('vit'), { config: vitConfig });
    writeFileSync(at('text.txt'), text);
    writeFileSync(at('other.txt'), other);
  });
  const read = (name: string): string => readFileSync(at(name), 'utf8');
  const profile = (out: string, ...rest: readonly string[]): Promise<Report> =>
    okJson<Report>(
      'profile',
      at('model'),
      '--text',
      at('text.txt'),
      at('other.txt'),
      '--window',
      '16',
      '-o',
      at(out),
      ...rest,
    );

  it('gives the ratios of the interpreter, for each block, each role and the model', async () => {
    const report = await profile('ratios.json');
    const expected = interpreted(at('model'), [text, other], 16);
    assert.equal(report.blocks.length, 4);
    for (const { id, role, input, output } of report.blocks) {
      assert.equal(role, id % 2 === 0 ? 'attention' : 'mlp');
      assertStatistics(input, expected.get(id)?.input ?? [], `block ${id}, input`);
      assertStatistics(output, expected.get(id)?.output ?? [], `block ${id}, output`);
    }
    const together = (blocks: readonly number[], name: 'input' | 'output'): readonly number[] =>
      blocks.flatMap((id) => expected.get(id)?.[name] ?? []);
    const { model, roles } = report.statistics;
    for (const name of ['input', 'output'] as const) {
      assertStatistics(model[name], together([0, 1, 2, 3], name), `model, ${name}`);
      assertStatistics(roles.attention[name], together([0, 2], name), `attention, ${name}`);
      assertStatistics(roles.mlp[name], together([1, 3], name), `mlp, ${name}`);
    }
    assert.equal(report.tokens, expected.get(0)?.input.length);
    assert.ok(report.tokensPerSecond > 0);
  });

  it('leaves the profile and nothing else, the same bytes each time', async () => {
    const before = filesOf(at());
    await profile('first.json');
    await profile('second.json');
    assert.equal(read('first.json'), read('second.json'));
    assert.deepEqual(filesOf(at()), [...before, 'first.json', 'second.json'].sort());
    await profile('first.json', '--max-tokens', '20');
    assert.notEqual(read('first.json'), read('second.json'));
  });

  it('takes windows of the whole context by default, and a shorter text as it is', async () => {
    const whole = await okJson<Report>('profile', at('model'), '--text', at('other.txt'), '-o', at('short.json'));
    const ids = createTokenizer(tokenizerJson(), undefined).encode(other);
    assert.deepEqual([whole.window, whole.windows, whole.tokens], [48, 1, ids.length + 1]);
  });

  it('reads as many tokens as it may, across texts', async () => {
    const tokens = createTokenizer(tokenizerJson(), undefined).encode(text).length;
    for (const most of [1, 15, 16, tokens, tokens + 3]) {
      const { tokens: found, windows } = await profile('most.json', '--max-tokens', String(most));
      const expected = Math.ceil(Math.min(most, tokens) / 15) + (most > tokens ? 1 : 0);
      assert.deepEqual([found, windows], [most + expected, expected]);
    }
  });

  it('knows a model by its graph and weights, not by its folder', async () => {
    const hash = async (name: string): Promise<string> =>
      (await okJson<Report>('profile', at(name), '--text', at('other.txt'), '-o', at('hash.json'))).model.sha256;
    const found = await hash('model');
    assert.match(found, /^[0-9a-f]{64}$/);
    assert.equal(await hash('copy'), found);
    assert.notEqual(await hash('other'), found);
    const config = JSON.parse(read('copy/config.json')) as object;
    writeJson(at('copy', 'config.json'), { ...config, activation_function: 'gelu' });
    assert.notEqual(await hash('copy'), found);
  });

  it('tells people quartiles, a bar, medians and speed', async () => {
    const stdout = await ok('profile', at('model'), '--text', at('text.txt'), '-o', at('people.json'));
    const number = String.raw`\d+\.\d{4}`;
    const six = Array.from({ length: 6 }, () => number).join(' +');
    assert.match(
      stdout,
      /^.*people\.json: opt, 4 blocks, \d+ tokens in \d+ windows of at most 48\n\nblock +role +‖f‖\/‖x‖ 25% +median/,
    );
    assert.match(stdout, new RegExp(String.raw`^\^1 +mlp +${six} +[█▏▎▍▌▋▊▉]+$`, 'm'));
    assert.match(stdout, /█{12}/);
    for (const name of ['attention', 'mlp', 'blocks']) {
      assert.match(stdout, new RegExp(String.raw`^all +${name} +${six}$`, 'm'));
    }
    const four = Array.from({ length: 4 }, () => number).join(' +');
    assert.match(stdout, /^KV errors +latest k +95% +latest v .* absent x\+f +95%$/m);
    assert.match(stdout, new RegExp(String.raw`^\^0 +${number} +${number}$`, 'm'));
    assert.match(stdout, new RegExp(String.raw`^\^2 +${four} +${six}$`, 'm'));
    assert.match(stdout, /^\d+ tokens in \d+\.\d s, \d+ tokens\/s$/m);
  });

  it('shows how far it is', async () => {
    const shares: number[] = [];
    let stopped = false;
    const { code } = await radialc(
      ['profile', at('model'), '--text', at('text.txt'), at('other.txt'), '--window', '16', '-o', at('bar.json')],
      {
        progress: {
          update: (done, total) => void shares.push(done / total),
          stop: () => {
            stopped = true;
          },
        },
      },
    );
    assert.equal(code, 0);
    assert.deepEqual(
      shares,
      [...shares].sort((a, b) => a - b),
    );
    assert.deepEqual([shares.at(-1), stopped], [1, true]);
  });

  describe('of images', () => {
    const image = (seed: number): number[][][] => [
      Array.from({ length: 8 }, (_, y) => Array.from({ length: 8 }, (_, x) => Math.sin(seed + 3 * y + x))),
    ];
    it('counts every token of every image', async () => {
      const [a, b] = [[1, 2, 3].map(image), [4, 5].map(image)];
      writeJson(at('a.json'), { pixel_values: a });
      writeJson(at('b.json'), { pixel_values: b });
      const args = ['profile', at('vit'), '--images', at('a.json'), at('b.json')];
      const report = await okJson<Report>(...args, '-o', at('vit.json'));
      assert.deepEqual([report.windows, report.tokens, report.window], [5, 25, 5]);
      const { network, weights, checkpoint: opened } = loadCheckpoint(at('vit'));
      const interpreter = createInterpreter(network, weights);
      const ratios: number[] = [];
      for (const pixels of [...a, ...b]) {
        interpreter.runImage(Float32Array.from(pixels.flat(2)), {
          onBlock: ({ block, x, f }) => {
            if (block === 1) ratios.push(Math.hypot(...f) / Math.hypot(...x));
          },
        });
      }
      opened.close();
      assertStatistics(report.blocks[1]?.input ?? null, ratios, 'block 1');
      for (const shard of ['0/2', '1/2']) await ok(...args, '--shard', shard, '-o', at(`vit.${shard[0] ?? ''}.json`));
      await ok('merge', at('vit.1.json'), at('vit.0.json'), '-o', at('vit.merged.json'));
      assert.equal(read('vit.merged.json'), read('vit.json'));
    });
  });

  describe('in shards', () => {
    for (const count of [1, 3, 5]) {
      it(`of ${count} is merged to the unsharded profile, byte for byte`, async () => {
        await profile('whole.json');
        const shards: string[] = [];
        for (let i = count - 1; i >= 0; i--) {
          const name = `shard.${i}.json`;
          shards.push(at(name));
          await profile(name, '--shard', `${i}/${count}`);
        }
        const report = await okJson<Report>('merge', ...shards, '-o', at('merged.json'));
        assert.equal(read('merged.json'), read('whole.json'));
        assert.equal(report.windows, (JSON.parse(read('whole.json')) as Report).windows);
        assert.equal(
          await ok('merge', at('merged.json'), '-o', at('again.json')).then(() => read('again.json')),
          read('whole.json'),
        );
      });
    }

    it('may be left without a window', async () => {
      const args = ['profile', at('model'), '--text', at('other.txt')];
      await ok(...args, '-o', at('one.json'));
      for (const i of [0, 1]) await ok(...args, '--shard', `${i}/2`, '-o', at(`one.${i}.json`));
      assert.match(await ok('merge', at('one.0.json'), at('one.1.json'), '-o', at('both.json')), /both\.json: opt/);
      assert.equal(read('both.json'), read('one.json'));
      assert.equal((JSON.parse(read('one.1.json')) as Report).windows, 0);
    });
  });

  describe('interrupted', () => {
    /** Interrupts after so many windows; a shard, so that windows are passed over as well. */
    async function interrupt(out: string, after: number, ...rest: readonly string[]): Promise<string> {
      const controller = new AbortController();
      let windows = 0;
      const args = ['profile', at('model'), '--text', at('text.txt'), at('other.txt'), '--window', '16', '-o', at(out)];
      const { code, stderr } = await radialc([...args, ...rest], {
        signal: controller.signal,
        progress: {
          update: () => {
            if (++windows === after) controller.abort();
          },
          stop: () => undefined,
        },
      });
      assert.equal(code, 130, stderr);
      return stderr;
    }

    for (const shard of ['0/1', '1/3']) {
      it(`saves what is done, and goes on to the same bytes, as shard ${shard}`, async () => {
        const name = `whole.${shard[0] ?? ''}.json`;
        const out = `stopped.${shard[0] ?? ''}.json`;
        await profile(name, '--shard', shard);
        const stderr = await interrupt(out, 2, '--shard', shard);
        assert.match(
          stderr,
          /^what is done is in .*stopped\.\d\.json\.partial; the same command with --resume goes on\ninterrupted/,
        );
        assert.equal(existsSync(at(out)), false);
        assert.equal((JSON.parse(read(`${out}.partial`)) as Report).windows, 2);
        await interrupt(out, 3, '--shard', shard, '--resume');
        assert.equal((JSON.parse(read(`${out}.partial`)) as Report).windows, 5);
        await profile(out, '--shard', shard, '--resume');
        assert.equal(read(out), read(name));
        assert.deepEqual(
          filesOf(at()).filter((file) => file.startsWith(out)),
          [out],
        );
      });
    }

    it('saves every few windows', async () => {
      const saved: number[] = [];
      const { code } = await radialc(
        [
          'profile',
          at('model'),
          '--text',
          at('text.txt'),
          '--window',
          '16',
          '-o',
          at('often.json'),
          '--save-every',
          '4',
        ],
        {
          progress: {
            update: () => void saved.push((JSON.parse(read('often.json.partial')) as Report).windows),
            stop: () => undefined,
          },
        },
      );
      assert.equal(code, 0);
      assert.deepEqual(saved.slice(0, 10), [0, 0, 0, 0, 4, 4, 4, 4, 8, 8]);
    });

    it('before its first window leaves nothing', async () => {
      const before = filesOf(at());
      const args = ['profile', at('model'), '--text', at('text.txt'), '-o', at('never.json')];
      const { code } = await radialc(args, { signal: AbortSignal.abort() });
      assert.equal(code, 130);
      assert.deepEqual(filesOf(at()), before);
    });
  });
});
