/** @file Hostile inputs of a run: ids, prompts, contexts, routes, images, IR texts, outputs. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { ok, optConfig, radialc, scratch, tokenizerJson, writeJson } from '../compiler/cli/support.ts';
import { leavingNothing, prepare, refuses } from './support.ts';

const loop = readFileSync('examples/hand-written/loop.rir', 'utf8');

describe('hostile runs', () => {
  const at = scratch();
  before(async () => {
    await prepare(at);
    await ok('compile', at('sound'), '-o', at('out'));
    await ok('compile', at('sound'), '-o', at('routed'), '--route', 'external');
    await ok('compile', at('vit'), '-o', at('vit-out'));
  });

  describe('token ids', () => {
    const ids: readonly (readonly [string, readonly unknown[]])[] = [
      ['RC0904', [32]],
      ['RC0904', [-1]],
      ['RC0904', [2 ** 31]],
      ['RC0904', [Number.MAX_SAFE_INTEGER]],
      ['RC1002', [1.5]],
      ['RC1002', [1e300]],
      ['RC1002', ['1']],
      ['RC1002', [null]],
      ['RC1002', [[1]]],
      ['RC0903', []],
      ['RC0905', Array.from({ length: 49 }, () => 1)],
    ];
    for (const backend of ['compiled', 'interpreter']) {
      for (const [code, list] of ids) {
        it(`${JSON.stringify(list).slice(0, 40)} are refused (${backend})`, async () => {
          const input = writeJson(at('input.json'), { input_ids: [[1], list] });
          await refuses(code, ['forward', at('out'), '--input', input, '--backend', backend]);
        });
      }
    }

    it('beyond the vocabulary are refused by run', async () => {
      await refuses('RC0904', ['run', at('out'), '--ids', '1,32']);
      await refuses('RC0905', ['run', at('out'), '--ids', '1', '-n', '48']);
      await refuses('RC0905', ['bench', at('out'), '-p', '40', '-n', '20']);
    });

    it('that are no whole numbers are usage errors', async () => {
      for (const list of ['', '1,,2', '1.5', '-1', '1e3', '0x10', 'NaN', '9007199254740993']) {
        const { code, stderr } = await radialc(['run', at('out'), `--ids=${list}`]);
        assert.equal(code, 2, list);
        assert.match(stderr, /--ids/);
      }
    });
  });

  describe('prompts', () => {
    it('that are empty need a start token', async () => {
      await ok('run', at('out'), '--prompt', '', '-n', '2');
      const tokenizer = { ...tokenizerJson(), post_processor: null };
      writeFileSync(at('sound', 'tokenizer.json'), JSON.stringify(tokenizer));
      await refuses('RC0903', ['run', at('sound'), '--prompt', '']);
      writeFileSync(at('sound', 'tokenizer.json'), JSON.stringify(tokenizerJson()));
    });

    it('that are longer than the context are refused', () =>
      refuses('RC0905', ['run', at('out'), '--prompt', 'a'.repeat(100)]));

    it('may hold any character', async () => {
      for (const prompt of [
        '\u0000',
        '\ud800',
        '\u{1f600}',
        '</s>',
        '\\',
        '${x}',
        '\u202e',
        '\u001b[31m',
        '__proto__',
      ]) {
        const { code, stderr } = await radialc(['run', at('out'), '--prompt', prompt, '-n', '1']);
        assert.ok(code === 0 || stderr.startsWith('error[RC09'), `${JSON.stringify(prompt)}: ${stderr}`);
      }
    });
  });

  describe('routes', () => {
    const all = [1, 1];
    const cases: readonly (readonly [string, string, object])[] = [
      ['RC0922', 'a mask with too few rows', { mask: [all] }],
      ['RC0922', 'a mask with ragged rows', { mask: [all, [1], all, all] }],
      ['RC0924', 'a mask of a block that is not there', { mask: [all, all, all, all, all] }],
      ['RC1002', 'a mask of fractions', { mask: [[0.5]] }],
      ['RC1002', 'a mask of truths', { mask: [[true]] }],
      ['RC0924', 'a walk to a block that is not there', { walk: [[4]] }],
      ['RC0924', 'a walk to block -1', { walk: [[-1]] }],
      ['RC1002', 'a walk to block 0.5', { walk: [[0.5]] }],
      ['RC1002', 'a walk to __proto__', { walk: [['__proto__']] }],
    ];
    for (const backend of ['compiled', 'interpreter']) {
      for (const [code, what, route] of cases) {
        it(`refuse ${what} (${backend})`, async () => {
          const input = writeJson(at('input.json'), { input_ids: [[1, 2]], ...route });
          await refuses(code, ['forward', at('routed'), '--input', input, '--backend', backend]);
        });
      }
      it(`end at the hop cap (${backend})`, async () => {
        const input = writeJson(at('input.json'), {
          input_ids: [[1]],
          walk: [Array.from({ length: 10_000 }, () => 0)],
        });
        const text = await ok('forward', at('routed'), '--input', input, '--format=json', '--backend', backend);
        assert.deepEqual((JSON.parse(text) as { depth: unknown }).depth, [[8]]);
      });
      it(`are refused by programs without routers (${backend})`, async () => {
        const input = writeJson(at('input.json'), { input_ids: [[1]], walk: [[0]] });
        await refuses('RC0920', ['forward', at('out'), '--input', input, '--backend', backend]);
      });
    }

    it('refuse edges that the graph does not have', async () => {
      writeFileSync(at('loop.rir'), loop.replace('[^1, ^0, exit]', '[^1, ^0]'));
      await refuses('RC0925', [
        'forward',
        at('loop.rir'),
        '--input',
        writeJson(at('input.json'), { input_ids: [[1]], walk: [[0]] }),
      ]);
    });
  });

  describe('images', () => {
    const image = (value: unknown, size = 8): unknown => [
      Array.from({ length: size }, () => Array.from({ length: size }, () => value)),
    ];
    const cases: readonly (readonly [string, string, unknown])[] = [
      ['RC0906', 'that are too small', image(0, 7)],
      ['RC0906', 'with too many channels', [image(0), image(0)].flat()],
      ['RC0906', 'with numbers that no 32-bit float holds', image(1e300)],
      ['RC0906', 'without channels', []],
      ['RC1002', 'of texts', image('0')],
      ['RC1002', 'of nulls', image(null)],
    ];
    for (const backend of ['compiled', 'interpreter']) {
      for (const [code, what, pixels] of cases) {
        it(`${what} are refused (${backend})`, async () => {
          const input = writeJson(at('input.json'), { pixel_values: [pixels] });
          await refuses(code, ['forward', at('vit-out'), '--input', input, '--backend', backend]);
        });
      }
    }
    it('with numbers beyond all floats are refused', async () => {
      writeFileSync(at('input.json'), `{"pixel_values": [[[[1e400]]]]}`);
      await refuses('RC0153', ['forward', at('vit-out'), '--input', at('input.json')]);
    });
  });

  describe('inputs of forward', () => {
    const texts: readonly (readonly [string, string | Uint8Array])[] = [
      ['RC0150', ''],
      ['RC0150', '{"input_ids": [[1,]]}'],
      ['RC0150', '{"input_ids": [[NaN]]}'],
      ['RC0151', '{"input_ids": [[1]], "input_ids": [[1]]}'],
      ['RC0152', '['.repeat(1_000_000)],
      ['RC0153', '{"input_ids": [[1e400]]}'],
      ['RC0154', Buffer.of(0x22, 0xff, 0x22)],
      ['RC1002', '{"__proto__": {"input_ids": [[1]]}}'],
      ['RC1002', '{"constructor": 1, "input_ids": [[1]]}'],
    ];
    for (const [code, text] of texts) {
      it(`${JSON.stringify(String(text).slice(0, 40))} are refused`, async () => {
        writeFileSync(at('input.json'), text);
        await refuses(code, ['forward', at('out'), '--input', at('input.json')]);
      });
    }
  });

  describe('IR texts', () => {
    const texts: readonly (readonly [string, string, string | Uint8Array])[] = [
      ['RC04', 'nothing', ''],
      ['RC04', 'something else', 'hello'],
      ['RC04', 'half of a module', loop.slice(0, loop.length / 2)],
      ['RC04', 'an open string', loop.replace('"latest"', '"latest')],
      ['RC04', 'a million brackets', '('.repeat(1_000_000)],
      ['RC04', 'a control character', loop.replace('relu', 're\u0000lu')],
      ['RC1003', 'bytes that are no UTF-8', Buffer.of(0xff, 0xfe, 0x00)],
      ['RC05', 'a value that nothing defines', loop.replace('relu(%h)', 'relu(%nothing)')],
      ['RC05', 'a block that is not there', loop.replace('-> ^0', '-> ^7')],
      ['RC0', 'a tensor of 2^60 numbers', loop.replace('f32[16, 8]', 'f32[1073741824, 1073741824]')],
      ['RC0', 'a context of 2^52', loop.replace('context: 64', 'context: 4503599627370496')],
      ['RC0', 'a hop cap of -1', loop.replace('max_hops: 6', 'max_hops: -1')],
      ['RC0', 'a hop cap of 2^40', loop.replace('max_hops: 6', 'max_hops: 1099511627776')],
      ['RC0', 'a KV policy that is none', loop.replace('"latest"', '"always"')],
      ['RC0', 'sizes that do not fit', loop.replace('f32[32, 8]', 'f32[32, 9]')],
      ['RC0', 'an epsilon that is none', loop.replace('eps: 0.00001', 'eps: "x"')],
      ['RC0', 'heads that do not divide', loop.replace('heads: 2, kv_heads: 2', 'heads: 3, kv_heads: 3')],
      ['RC1008', 'a tensor without weights', loop.replace('full {value: 1}', 'tensor {name: "secret"}')],
    ];
    for (const [code, what, text] of texts) {
      it(`of ${what} are refused`, async () => {
        writeFileSync(at('bad.rir'), text);
        await leavingNothing(at(), () => refuses(code, ['compile', at('bad.rir'), '-o', at('none')]));
        await refuses('RC', ['opt', at('bad.rir')]);
        await refuses(
          'RC',
          ['forward', at('bad.rir'), '--input', '-', '--backend=interpreter'],
          '{"input_ids": [[1]]}',
        );
      });
    }
    it('that ask for more memory than there is are refused', async () => {
      for (const columns of ['1073741824', '200000000']) {
        writeFileSync(at('bad.rir'), loop.replace('f32[16, 8]', `f32[${columns}, 8]`));
        await refuses('RC0704', ['compile', at('bad.rir'), '-o', at('none')]);
        await refuses(
          'RC1012',
          ['forward', at('bad.rir'), '--input', '-', '--backend=interpreter'],
          '{"input_ids": [[1]]}',
        );
      }
      const large = writeJson(at('large.json'), { ...optConfig, max_position_embeddings: 2048 });
      await ok('init', '--config', large, '-o', at('large'));
      const routed = ['compile', at('large'), '-o', at('none'), '--route=external'];
      await refuses('RC0704', [...routed, '--revisit=append', '--max-hops=65536']);
    });

    it('have one hop cap, for the compiler and the program', async () => {
      const routed = ['compile', at('sound'), '-o', at('hops'), '--route=external', '--max-hops'];
      for (const hops of ['65537', '1500000', '16777217']) {
        await leavingNothing(at(), () => refuses('RC0606', [...routed, hops]));
      }
      await ok(...routed, '65536');
      await ok('run', at('hops'), '--ids', '1', '-n', '2');
    });

    it('that a program cannot describe are refused, and nothing is left', async () => {
      writeFileSync(at('bad.rir'), loop.replace('@loop', `@${'l'.repeat(1001)}`));
      await leavingNothing(at(), () => refuses('RC0836', ['compile', at('bad.rir'), '-o', at('none')]));
      writeFileSync(at('bad.rir'), loop.replace('@loop', `@${'l'.repeat(1000)}`));
      await ok('compile', at('bad.rir'), '-o', at('named'));
      await ok('run', at('named'), '--ids', '1', '-n', '2');
    });

    it('whose tensors have another shape than stored are refused', async () => {
      writeFileSync(
        at('bad.rir'),
        loop.replace('full {value: 1}', 'tensor {name: "model.decoder.embed_tokens.weight"}'),
      );
      await refuses('RC1008', ['compile', at('bad.rir'), '-o', at('none'), '--weights', at('sound')]);
      await refuses('RC01', ['compile', at('bad.rir'), '-o', at('none'), '--weights', at('nowhere')]);
    });
  });

  describe('outputs', () => {
    it('that cannot be written are refused, and nothing is left', async function () {
      if (process.platform === 'win32' || process.getuid?.() === 0) return this.skip();
      mkdirSync(at('locked'));
      chmodSync(at('locked'), 0o500);
      await refuses('RC0831', ['compile', at('sound'), '-o', at('locked', 'out')]);
      await refuses('RC0261', ['init', '--config', at('sound', 'config.json'), '-o', at('locked', 'out')]);
      assert.deepEqual(readdirSync(at('locked')), []);
    });

    it('in a file system that takes no files are refused, even for root', async function () {
      if (process.platform !== 'linux') return this.skip();
      await refuses('RC0831', ['compile', at('sound'), '-o', '/proc/radialc/out']);
      await refuses('RC0261', ['init', '--config', at('sound', 'config.json'), '-o', '/proc/radialc/out']);
    });

    it('below a file are refused', async () => {
      writeFileSync(at('a-file'), '');
      await refuses('RC0831', ['compile', at('sound'), '-o', at('a-file', 'out')]);
      await refuses('RC02', ['init', '--config', at('sound', 'config.json'), '-o', at('a-file', 'out')]);
    });

    it('with other things in them are left alone', async () => {
      mkdirSync(at('mine'));
      writeFileSync(at('mine', 'notes.txt'), 'mine');
      await refuses('RC0830', ['compile', at('sound'), '-o', at('mine')]);
      await refuses('RC0260', ['init', '--config', at('sound', 'config.json'), '-o', at('mine')]);
      assert.deepEqual(readdirSync(at('mine')), ['notes.txt']);
    });

    it('with impossible names are refused', async () => {
      await refuses('RC', ['compile', at('sound'), '-o', at('x'.repeat(300))]);
      await refuses('RC', ['compile', at('sound'), '-o', at('nul\u0000')]);
      await refuses('RC0830', ['compile', at('sound'), '-o', '/']);
      assert.ok(!existsSync(at('x'.repeat(300))));
    });

    it('are not begun for a path that is none', async () => {
      await refuses('RC', ['compile', at('nul\u0000'), '-o', at('none')]);
      await refuses('RC', ['compile', at('nul\u0000.rir'), '-o', at('none')]);
      assert.match((await radialc(['run', '', '--ids', '1'])).stderr, /^error\[RC0140\].*\n {2}help: /);
      await refuses('RC', ['forward', at('out'), '--input', at('nul\u0000')]);
      await refuses('RC', ['init', '--config', at('nowhere.json'), '-o', at('none')]);
    });
  });
});
