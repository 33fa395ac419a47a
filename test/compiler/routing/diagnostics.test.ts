/** @file What `radialc profile` refuses, with what code, and that nothing is lost by it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { checkpoint, fails, filesOf, ok, radialc, readJson, scratch, vitConfig, writeJson } from '../cli/support.ts';
import { onFullDisk, refusing } from './support.ts';

const text = 'the cat sat on the mat and the moth sat on the cat. ';

describe('radialc profile refuses', () => {
  const at = scratch();
  const refused = refusing(at);
  before(async () => {
    await checkpoint(at('model'));
    await checkpoint(at('other'), { seed: 2 });
    await checkpoint(at('mute'), { tokenizer: null });
    await checkpoint(at('vit'), { config: vitConfig });
    writeFileSync(at('text.txt'), text.repeat(4));
    writeJson(at('image.json'), { pixel_values: [image] });
  });
  const image = [Array.from({ length: 8 }, () => Array.from({ length: 8 }, () => 0.5))];
  const profile = (...rest: readonly string[]): readonly string[] => [
    ...['profile', at('model'), '--text', at('text.txt'), '--window', '16'],
    ...rest,
  ];
  const write = (name: string, content: string | Uint8Array): string => {
    writeFileSync(at(name), content);
    return at(name);
  };

  describe('models', () => {
    it('RC1201: without probes', async () => {
      await ok('compile', at('model'), '-o', at('out'));
      await refused(
        'RC1201',
        ['profile', at('out'), '--text', at('text.txt'), '-o', at('p.json')],
        /no probes[^]*--> .*out/,
      );
      const fused = await ok('opt', at('model'), '--stop-after', 'fuse-epilogue');
      const file = write('fused.rir', fused.replaceAll(/tensor \{[^}]*\}/g, 'full {value: 0.5}'));
      await refused(
        'RC1201',
        ['profile', file, '--text', at('text.txt'), '-o', at('p.json')],
        /no probes[^]*fused\.rir/,
      );
    });

    it('RC1202: with the input of another kind, or none', async () => {
      const cases: readonly (readonly [readonly string[], RegExp])[] = [
        [['profile', at('vit'), '--text', at('text.txt')], /an image model, which reads no text[^]*vit[^]*--images/],
        [['profile', at('model'), '--images', at('image.json')], /a language model, which reads no images[^]*--text/],
        [['profile', at('model')], /nothing to run the model on[^]*--text/],
      ];
      for (const [args, message] of cases) await refused('RC1202', [...args, '-o', at('p.json')], message);
    });

    it('RC1203: without a tokenizer', () =>
      refused('RC1203', ['profile', at('mute'), '--text', at('text.txt'), '-o', at('p.json')], /no tokenizer[^]*mute/));

    it('what every command says of a folder that is no checkpoint', () =>
      refused('RC0140', ['profile', at('nowhere'), '--text', at('text.txt'), '-o', at('p.json')], /nowhere/));
  });

  describe('texts', () => {
    const given = (file: string): readonly string[] => [
      'profile',
      at('model'),
      '--text',
      at('text.txt'),
      file,
      '-o',
      at('p.json'),
    ];

    it('RC1204: empty, before anything is done', () =>
      refused('RC1204', given(write('empty.txt', '')), /--> .*empty\.txt/));

    it('RC1204: of characters that are no tokens', () => {
      const args = ['profile', at('model'), '--text', write('unknown.txt', '\ufeff'), '-o', at('p.json')];
      return refused('RC1204', args, /--> .*unknown\.txt/);
    });

    it('RC1205: not UTF-8, in the middle and at the end', async () => {
      const latin = new Uint8Array(600_000).fill(0x61);
      latin[400_000] = 0xe9;
      await refused('RC1205', given(write('latin.txt', latin)), /bytes 262144 to 524288[^]*latin\.txt/);
      const cut = Buffer.from('caf\u00e9').subarray(0, -1);
      await refused('RC1205', given(write('cut.txt', cut)), /ends within a character[^]*cut\.txt/);
      await refused('RC1205', given(write('utf16.txt', Buffer.from('\ufeffthe cat', 'utf16le'))), /utf16\.txt/);
    });

    it('RC0132, RC0134: missing, a folder, a pipe', async function () {
      await refused('RC0132', given(at('missing.txt')), /missing\.txt/);
      await refused('RC0134', given(at('model')), /found a folder[^]*model/);
      if (process.platform === 'win32') return this.skip();
      execFileSync('mkfifo', [at('pipe')]);
      try {
        const stderr = await fails('RC0134', ...given(at('pipe')));
        assert.match(stderr, /found a pipe/);
      } finally {
        rmSync(at('pipe'));
      }
    });

    it('RC0139: changed while they are read; what is done is kept', async () => {
      const file = write('growing.txt', text.repeat(400));
      const { code, stderr } = await radialc(given(file), {
        progress: {
          update: (done) => {
            if (done > 0) writeFileSync(file, text.toUpperCase().repeat(400));
          },
          stop: () => undefined,
        },
      });
      assert.equal(code, 1);
      assert.match(stderr, /error\[RC0139\].*changed[^]*growing\.txt/);
      assert.ok(existsSync(at('p.json.partial')));
      rmSync(at('p.json.partial'));
    });
  });

  it('RC1206: a shard that is none', async () => {
    for (const shard of ['3/2', '2/2', '0/0', '-1/2', '1', '1/2/3', 'a/b', '']) {
      await refused(
        'RC1206',
        profile('-o', at('p.json'), '--shard', shard),
        /no shard[^]*--shard[^]*0\/3, 1\/3 and 2\/3/,
      );
    }
  });

  it('RC1207, RC0254: a window without room, or larger than the context', async () => {
    const args = ['profile', at('model'), '--text', at('text.txt'), '-o', at('p.json')];
    await refused('RC1207', [...args, '--window', '1'], /no room/);
    await refused('RC0254', [...args, '--window', '49'], /from 1 to 48/);
  });

  describe('places', () => {
    it('RC1208: where something else is', async () => {
      mkdirSync(at('folder'));
      await refused('RC1208', profile('-o', at('folder')), /a folder[^]*--> .*folder/);
      await refused('RC1208', profile('-o', write('notes.json', '{"format": "notes"}')), /another file[^]*notes\.json/);
      await refused('RC1208', profile('-o', at('text.txt')), /one of the inputs/);
      if (process.platform !== 'win32') await refused('RC1208', profile('-o', '/dev/null'), /no file/);
      await ok(...profile('-o', at('whole.json')));
      await refused('RC1208', ['merge', at('whole.json'), '-o', at('.', 'whole.json')], /one of the inputs/);
    });

    it('RC1212: where nothing can be written', async () => {
      await refused('RC1212', profile('-o', at('nowhere', 'p.json')), /ENOENT[^]*nowhere/);
      await refused('RC1212', profile('-o', at('text.txt', 'p.json')), /ENOTDIR/);
    });

    it('RC1212: on a full disk; what was saved before is still there, and the run can be resumed', async () => {
      await ok(...profile('-o', at('roomy.json')));
      const stderr = await onFullDisk(3, () => fails('RC1212', ...profile('-o', at('full.json'), '--save-every', '2')));
      assert.match(stderr, /ENOSPC[^]*--> .*full\.json\.partial[^]*make room on the disk.*goes on with --resume/);
      const left = filesOf(at()).filter((name) => name.startsWith('full'));
      assert.deepEqual(left, ['full.json.partial']);
      await ok(...profile('-o', at('full.json'), '--resume'));
      assert.deepEqual(readFileSync(at('full.json')), readFileSync(at('roomy.json')));
    });
  });

  describe('resuming', () => {
    /** Leaves an unfinished profile of two windows. */
    async function interrupted(out: string): Promise<void> {
      const controller = new AbortController();
      let windows = 0;
      const { code } = await radialc(profile('-o', out), {
        signal: controller.signal,
        progress: {
          update: () => {
            if (++windows === 2) controller.abort();
          },
          stop: () => undefined,
        },
      });
      assert.equal(code, 130);
    }

    it('RC1209: not asked for, where there is something to resume', async () => {
      await interrupted(at('begun.json'));
      await refused('RC1209', profile('-o', at('begun.json')), /--> .*begun\.json\.partial[^]*--resume/);
    });

    it('RC1210: where there is nothing, or all is done', async () => {
      await refused('RC1210', profile('-o', at('new.json'), '--resume'), /no unfinished[^]*new\.json\.partial/);
      await ok(...profile('-o', at('done.json')));
      await refused('RC1210', profile('-o', at('done.json'), '--resume'), /done\.json\.partial/);
      write('done.json.partial', readFileSync(at('done.json')));
      await refused('RC1210', profile('-o', at('done.json'), '--resume'), /is complete/);
    });

    it('RC1211: with other settings', async () => {
      await interrupted(at('half.json'));
      const [out, resume] = [at('half.json'), '--resume'];
      const longer = write('longer.txt', text.repeat(5));
      mkdirSync(at('elsewhere'));
      const changed = write('elsewhere/text.txt', text.repeat(4).toUpperCase());
      const cases: readonly (readonly [RegExp, readonly string[]])[] = [
        [/another window: 16 and 20/, ['profile', at('model'), '--text', at('text.txt'), '--window', '20']],
        [/another model: /, ['profile', at('other'), '--text', at('text.txt'), '--window', '16']],
        [
          /another input: text text\.txt \(.*\) and text longer\.txt/,
          ['profile', at('model'), '--text', longer, '--window', '16'],
        ],
        [/another input: /, ['profile', at('model'), '--text', changed, '--window', '16']],
        [/another --max-tokens: none and 40/, profile('--max-tokens', '40')],
        [/another shard: 0\/1 and 0\/2/, profile('--shard', '0/2')],
      ];
      for (const [message, args] of cases) await refused('RC1211', [...args, '-o', out, resume], message);
      await ok(...profile('-o', out, resume));
    });

    it('RC1213: from a damaged file', async () => {
      write('damaged.json.partial', '{"format": "radial-profile"}');
      await refused('RC1213', profile('-o', at('damaged.json'), '--resume'), /damaged\.json\.partial/);
    });

    it('RC1213: from one that claims more windows than it counted', async () => {
      await interrupted(at('claims.json'));
      const partial = readJson(at('claims.json.partial')) as { next: number };
      writeJson(at('claims.json.partial'), { ...partial, next: 5 });
      await refused('RC1213', profile('-o', at('claims.json'), '--resume'), /2 windows of the shard/);
    });
  });

  it('RC1217: images that are none', async () => {
    const run = (name: string, value: unknown): readonly string[] => [
      'profile',
      at('vit'),
      '--images',
      at('image.json'),
      writeJson(at(name), value),
      '-o',
      at('images.json'),
    ];
    writeJson(at('bad.ids.json'), { input_ids: [[1]] });
    const cases: readonly (readonly [unknown, RegExp])[] = [
      [{ input_ids: [[1]] }, /holds token ids/],
      [{ pixel_values: [image], mask: [[1]] }, /holds a route/],
      [{ pixel_values: [image, [[[1, 2]]]] }, /bad\.json, image 1/],
    ];
    for (const [value, message] of cases) {
      const stderr = await fails('RC1217', ...run('bad.json', value));
      assert.match(stderr, message);
      rmSync(at('images.json.partial'));
    }
    assert.match(await fails('RC1002', ...run('bad.json', { pixel_values: 3 })), /bad\.json/);
    rmSync(at('images.json.partial'));
    await refused(
      'RC1217',
      ['profile', at('vit'), '--images', at('bad.ids.json'), '-o', at('images.json')],
      /token ids/,
    );
  });

  it('are usage where options exclude each other', async () => {
    for (const args of [
      ['profile', at('vit'), '--images', 'x', '--text', 'y'],
      ['profile', at('vit'), '--images', 'x', '--window', '4'],
      ['profile', at('vit'), '--images', 'x', '--max-tokens', '4'],
      profile('--window', '0'),
      profile('--save-every', 'x'),
      ['merge', 'a.json'],
      ['merge', '-o', 'a.json'],
    ]) {
      const { code, stdout } = await radialc(args);
      assert.deepEqual([code, stdout], [2, ''], args.join(' '));
    }
  });
});
