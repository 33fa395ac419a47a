/** @file What `radialc merge` refuses, with what code: profiles that do not belong together, and files that are none. */
import assert from 'node:assert/strict';
import { truncateSync, writeFileSync } from 'node:fs';
import { checkpoint, fails, ok, readJson, scratch, writeJson } from '../cli/support.ts';
import { refusing } from './support.ts';

const text = 'the cat sat on the mat and the moth sat on the cat. ';

describe('radialc merge refuses', () => {
  const at = scratch();
  const refused = refusing(at);
  const shard = (i: number): string => at(`s${i}.json`);
  const profile = (...rest: readonly string[]): readonly string[] => [
    ...['profile', at('model'), '--text', at('text.txt'), '--window', '16'],
    ...rest,
  ];
  const write = (name: string, content: string): string => {
    writeFileSync(at(name), content);
    return at(name);
  };
  before(async () => {
    await checkpoint(at('model'));
    await checkpoint(at('other'), { seed: 2 });
    write('text.txt', text.repeat(4));
    for (const i of [0, 1, 2]) await ok(...profile('-o', shard(i), '--shard', `${i}/3`));
  });
  const merge = (...paths: readonly string[]): readonly string[] => ['merge', ...paths, '-o', at('merged.json')];

  it('RC1214: what is unfinished', async () => {
    const unfinished = readJson(shard(1)) as { windows: number };
    writeJson(at('unfinished.json'), { ...unfinished, next: 3 * unfinished.windows });
    await refused('RC1214', merge(shard(0), at('unfinished.json')), /shard 1\/3 is unfinished[^]*unfinished\.json/);
  });

  it('RC1215: what does not belong together', async () => {
    const cases: readonly (readonly [string, readonly string[]])[] = [
      ['window', ['profile', at('model'), '--text', at('text.txt'), '--window', '17']],
      ['model', ['profile', at('other'), '--text', at('text.txt'), '--window', '16']],
      ['input', ['profile', at('model'), '--text', at('text.txt'), at('text.txt'), '--window', '16']],
      ['--max-tokens', profile('--max-tokens', '50')],
    ];
    for (const [field, args] of cases) {
      await ok(...args, '--shard', '1/3', '-o', at('foreign.json'));
      const message = new RegExp(`s0\\.json and .*foreign\\.json have another ${field}: `);
      await refused('RC1215', merge(shard(0), at('foreign.json'), shard(2)), message);
    }
    const tokenizer = 'f'.repeat(64);
    writeJson(at('foreign.json'), { ...(readJson(shard(1)) as object), tokenizer });
    await refused('RC1215', merge(shard(0), at('foreign.json'), shard(2)), /another tokenizer: \w{64} and f{64}/);
  });

  it('RC1216: shards that are missing, twice, or of another division', async () => {
    await refused('RC1216', merge(shard(0), shard(2)), /shard 1\/3 is missing/);
    await refused('RC1216', merge(shard(0), shard(1), shard(2), shard(0)), /0\/3 is given twice, first as .*s0\.json/);
    await ok(...profile('--shard', '1/2', '-o', at('half.json')));
    await refused('RC1216', merge(shard(0), at('half.json')), /this is shard 1\/2, but .*s0\.json is one of 3/);
  });

  it('RC1213: what is no profile, or contradicts itself', async () => {
    interface Block {
      readonly id: number;
      readonly input: Readonly<Record<string, unknown>> & { readonly zero: number };
      readonly statistics: object;
      readonly kv: { readonly absent: object };
    }
    interface Data {
      readonly blocks: readonly Block[];
      readonly shard: object;
      readonly model: object;
    }
    const sound = readJson(shard(0)) as Data;
    const [first, second, ...others] = sound.blocks;
    assert.ok(first !== undefined && second !== undefined);
    const withBlock = (changes: object): object => ({
      ...sound,
      blocks: [{ ...first, ...changes }, second, ...others],
    });
    const withInput = (changes: object): object => withBlock({ input: { ...first.input, ...changes } });
    const cases: readonly (readonly [string, unknown])[] = [
      ['another format', { ...sound, format: 'notes' }],
      ['a newer version', { ...sound, version: 3 }],
      ['KV errors of fewer tokens', withBlock({ kv: { ...first.kv, absent: { ...first.kv.absent, nonFinite: 1 } } })],
      ['KV errors of a block without a list', { ...sound, blocks: [first, { ...second, kv: first.kv }, ...others] }],
      ['KV errors of an unknown kind', withBlock({ kv: { ...first.kv, newest_k: first.kv.absent } })],
      ['a family that would talk to the terminal', { ...sound, model: { ...sound.model, family: '\u001b[2J' } }],
      ['an unknown field', { ...sound, more: 1 }],
      ['a shard that is none', { ...sound, shard: { index: 3, count: 3 } }],
      ['no blocks', { ...sound, blocks: [] }],
      ['blocks out of order', { ...sound, blocks: [...sound.blocks].reverse() }],
      ['a negative count', withInput({ zero: -1 })],
      ['a count beyond the whole numbers', withInput({ zero: 1e300 })],
      ['one count too many', withInput({ zero: first.input.zero + 1 })],
      ['a sum that is none', withInput({ sum: '0x10' })],
      ['an endless sum', withInput({ sum: '9'.repeat(1000) })],
      ['another sum', withInput({ sum: '1' })],
      ['no minimum', withInput({ min: null })],
      ['a minimum above the maximum', withInput({ min: 1e6 })],
      ['buckets that end behind the last one', withInput({ first: 2047 })],
      ['other statistics', withBlock({ statistics: { input: null, output: null } })],
      ['an array', [sound]],
      ['nothing', null],
    ];
    for (const [what, value] of cases) {
      writeJson(at('bad.json'), value);
      const stderr = await fails('RC1213', ...merge(shard(0), at('bad.json')));
      assert.match(stderr, /--> .*bad\.json/, what);
    }
  });

  it('RC1213: profiles of an earlier version, and says so', async () => {
    writeJson(at('old.json'), { ...(readJson(shard(1)) as object), version: 1 });
    await refused(
      'RC1213',
      merge(shard(0), at('old.json'), shard(2)),
      /its format has version 1, expected 2[^]*old\.json/,
    );
  });

  it('RC1213: another graph under the same hash', async () => {
    const { blocks, ...rest } = readJson(shard(1)) as { blocks: readonly object[]; statistics: object };
    const renumbered = blocks.map((block, id) => ({ ...block, id: id + 1 }));
    writeJson(at('graph.json'), { ...rest, blocks: renumbered });
    await refused('RC1213', merge(shard(0), at('graph.json'), shard(2)), /other blocks/);
  });

  it('what every reader says of files that are no JSON', async () => {
    await refused('RC0132', merge(at('missing.json')), /missing\.json/);
    await refused('RC0134', merge(at('model')), /model/);
    truncateSync(write('huge.json', ''), 64 * 1024 * 1024 + 1);
    await refused('RC0155', merge(at('huge.json')), /huge\.json/);
    await refused('RC0150', merge(write('half.txt', '{"format": ')), /half\.txt/);
    await refused('RC0152', merge(write('deep.json', '['.repeat(100_000))), /deep\.json/);
  });
});
