/** @file What `radialc oracle` refuses, with what code. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { checkpoint, ok, radialc, scratch, tokenizerJson, vitConfig } from '../../cli/support.ts';
import { refusing } from '../support.ts';

describe('radialc oracle refuses', () => {
  const at = scratch();
  const refused = refusing(at);
  before(async () => {
    await checkpoint(at('model'));
    await checkpoint(at('mute'), { tokenizer: null });
    await checkpoint(at('vit'), { config: vitConfig });
    await checkpoint(at('startless'), { tokenizer: { ...tokenizerJson(), post_processor: null } });
    writeFileSync(at('text.txt'), 'the cat sat on the mat. ');
    writeFileSync(at('empty.txt'), '');
  });
  const oracle = (name: string, ...rest: readonly string[]): readonly string[] => [
    ...['oracle', at(name), '--text', at('text.txt'), '-o', at('oracle.json')],
    ...rest,
  ];

  it('RC1201, RC1203, RC1221: models without probes, without a tokenizer, of images', async () => {
    await ok('compile', at('model'), '-o', at('out'), '--route', 'external');
    await refused('RC1201', oracle('out'), /no probes[^]*--> .*out/);
    await refused('RC1203', oracle('mute'), /no tokenizer[^]*--> .*mute/);
    await refused('RC1221', oracle('vit'), /an image model[^]*--> .*vit/);
  });

  it('RC1204, RC1225, RC0254: texts and windows without predictions', async () => {
    await refused('RC1204', [...oracle('model'), '--text', at('empty.txt')], /empty\.txt/);
    await refused('RC1225', oracle('startless', '--max-tokens', '1'), /a single token[^]*text\.txt/);
    await refused('RC0254', oracle('model', '--window', '49'), /from 1 to 48/);
  });

  it('RC1208, RC1212: places where nothing can be written', async () => {
    await refused('RC1208', oracle('model', '-o', at('text.txt')), /one of the inputs/);
    await refused('RC1208', oracle('model', '-o', at('model')), /a folder/);
    await refused('RC1212', oracle('model', '-o', at('nowhere', 'oracle.json')), /ENOENT/);
  });

  it('usage that is wrong', async () => {
    for (const [args, message] of [
      [['--threshold', '-1'], /at least 0/],
      [['--threshold', '0.1,'], /at least 0/],
      [['--baselines', 'best'], /Baselines are random, static, exit/],
      [['--policy', 'both'], /Allowed choices are on, off/],
      [['--kv', 'none'], /Allowed choices are absent, project, latest/],
      [['--seed', 'x'], /whole number/],
    ] as const) {
      const { code, stdout, stderr } = await radialc(oracle('model', ...args));
      assert.deepEqual([code, stdout], [2, ''], args.join(' '));
      assert.match(stderr, message);
    }
    assert.equal((await radialc(['oracle', at('model')])).code, 2);
  });
});
