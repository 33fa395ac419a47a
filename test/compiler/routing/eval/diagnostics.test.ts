/** @file What `radialc eval` refuses, with what code. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { checkpoint, ok, optConfig, radialc, scratch, tokenizerJson, vitConfig } from '../../cli/support.ts';
import { refusing } from '../support.ts';

const text = 'the cat sat on the mat and the moth sat on the cat. ';

describe('radialc eval refuses', () => {
  const at = scratch();
  const refused = refusing(at);
  const { model = null, ...rest } = tokenizerJson();
  before(async () => {
    await checkpoint(at('model'));
    await checkpoint(at('mute'), { tokenizer: null });
    await checkpoint(at('vit'), { config: vitConfig });
    await checkpoint(at('unmerged'), { tokenizer: { ...rest, model: { ...(model as object), merges: [] } } });
    await checkpoint(at('startless'), { tokenizer: { ...rest, model, post_processor: null } });
    await checkpoint(at('larger'), { config: { ...optConfig, vocab_size: 40 } });
    await checkpoint(at('shorter'), { config: { ...optConfig, max_position_embeddings: 20 } });
    await checkpoint(at('broken'), { tokenizer: { ...rest, model, decoder: { type: 'WordPiece' } } });
    writeFileSync(at('text.txt'), text.repeat(4));
  });
  const evaluate = (name: string, ...more: readonly string[]): readonly string[] => [
    ...['eval', at(name), '--text', at('text.txt')],
    ...more,
  ];
  const write = (name: string, content: string | Uint8Array): string => {
    writeFileSync(at(name), content);
    return at(name);
  };

  it('RC1221: image models', () => refused('RC1221', evaluate('vit'), /an image model[^]*--> .*vit/));

  it('RC1203: models without a tokenizer, unless the other one has it', async () => {
    await refused('RC1203', evaluate('mute'), /no tokenizer[^]*--> .*mute/);
    await refused('RC1203', evaluate('mute', '--against', at('mute')), /no tokenizer/);
    const alone = await ok(...evaluate('model', '--format=json'));
    const other = await ok(...evaluate('mute', '--against', at('model'), '--format=json'));
    const quality = (json: string): unknown => (JSON.parse(json) as { model: unknown }).model;
    assert.deepEqual(quality(other), quality(alone));
  });

  it('RC1222: tokenizers that differ', async () => {
    await refused('RC1222', evaluate('unmerged', '--against', at('model')), /give other ids[^]*unmerged, .*model/);
    await refused('RC1222', evaluate('model', '--against', at('startless')), /start a text with other tokens/);
  });

  it('RC1223: vocabularies that differ', () =>
    refused('RC1223', evaluate('model', '--against', at('larger')), /32 and 40 tokens/));

  it('RC1224: windows that are longer than a context', async () => {
    await refused('RC1224', evaluate('model', '--window', '49'), /context of 48[^]*--> .*model/);
    const args = evaluate('model', '--against', at('shorter'), '--window', '21');
    await refused('RC1224', args, /context of 20[^]*--> .*shorter[^]*at most 20/);
  });

  it('RC1225: nothing to predict', async () => {
    await refused('RC1225', evaluate('startless', '--max-tokens', '1'), /a single token[^]*text\.txt/);
    await ok(...evaluate('startless', '--max-tokens', '2'));
    await ok(...evaluate('model', '--max-tokens', '1'));
  });

  it('RC1226: logits that are not finite', async () => {
    const dump = await ok('opt', at('model'), '--stop-after', 'radialize');
    const wild = dump.replace('tensor {name: "model.decoder.final_layer_norm.weight"}', 'full {value: 3e38}');
    write('wild.rir', wild);
    const args = evaluate('wild.rir', '--weights', at('model'), '--against', at('model'));
    await refused('RC1226', args, /prediction 0 are not finite/);
  });

  it('RC1227 is a warning: texts that are shorter than a window', async () => {
    const { code, stdout, stderr } = await radialc(evaluate('model', '--max-tokens', '40'));
    assert.equal(code, 0);
    assert.match(stdout, /^40 tokens/);
    assert.match(
      stderr,
      /^warning\[RC1227\]: no text fills a window of 48: the longest has 40.*\n {2}--> .*text\.txt\n {2}help: /,
    );
    assert.equal((await radialc(evaluate('model', '--max-tokens', '48'))).stderr, '');
  });

  it('RC1204, RC1205, RC0815: texts that are no tokens', async () => {
    const given = (name: string, content: string | Uint8Array): readonly string[] => [
      ...['eval', at('model'), '--text', write(name, content)],
    ];
    await refused('RC1204', given('empty.txt', ''), /--> .*empty\.txt/);
    await refused('RC1204', given('unknown.txt', '\ufeff'), /--> .*unknown\.txt/);
    await refused('RC1205', given('latin.txt', Uint8Array.of(0x61, 0xe9, 0x61)), /--> .*latin\.txt/);
    await refused('RC0815', evaluate('broken'), /the tokenizer failed/);
  });

  it('RC1208, RC1212: places where nothing can be written, before anything is done', async () => {
    await refused('RC1208', evaluate('model', '-o', at('text.txt')), /one of the inputs/);
    await refused(
      'RC1208',
      evaluate('model', '-o', write('profile.json', '{"format": "radial-profile"}')),
      /another file/,
    );
    await refused('RC1212', evaluate('model', '-o', at('nowhere', 'eval.json')), /ENOENT[^]*nowhere/);
  });

  it('RC1011: options of compilation for a program', async () => {
    await ok('compile', at('model'), '-o', at('out'));
    await refused('RC1011', evaluate('out', '--kv', 'latest'), /--kv/);
  });
});
