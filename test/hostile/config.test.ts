/** @file Broken and hostile config.json and tokenizer.json files. */
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ok, readJson, scratch, tokenizerJson, writeJson } from '../compiler/cli/support.ts';
import { copyOf, damaging, prepare, refuses } from './support.ts';
import type { Damage, DamageCase } from './support.ts';

describe('hostile checkpoints', () => {
  const at = scratch();
  before(() => prepare(at));
  const damaged = damaging(at);

  /** Each diagnostic has a place and help. */
  async function compileDamaged(code: string, damage: Damage, source?: string): Promise<string> {
    const stderr = await damaged(code, damage, source);
    const count = (pattern: RegExp): number => stderr.match(pattern)?.length ?? 0;
    assert.equal(count(/^ {2}--> .*model/gm), count(/^error\[/gm), stderr);
    assert.equal(count(/^ {2}help: ./gm), count(/^error\[/gm), stderr);
    return stderr;
  }

  describe('config.json', () => {
    const withConfig =
      (fields: object, drop: readonly string[] = []) =>
      (dir: string) => {
        const config = Object.entries(readJson(join(dir, 'config.json')) as object).filter(
          ([name]) => !drop.includes(name),
        );
        writeJson(join(dir, 'config.json'), { ...Object.fromEntries(config), ...fields });
      };
    const withText = (text: string | Uint8Array) => (dir: string) => {
      writeFileSync(join(dir, 'config.json'), text);
    };
    const cases: readonly DamageCase[] = [
      [
        'RC0201',
        'no file',
        (dir) => {
          rmSync(join(dir, 'config.json'));
        },
      ],
      ['RC0150', 'a text that is not JSON', withText('{"model_type": "opt",}')],
      ['RC0150', 'a text with NaN', withText('{"model_type": "opt", "layer_norm_eps": NaN}')],
      ['RC0150', 'nothing at all', withText('')],
      ['RC0151', 'two model types', withText('{"model_type": "opt", "model_type": "gpt2"}')],
      ['RC0152', 'a hundred thousand brackets', withText('['.repeat(100_000))],
      ['RC0153', 'a number of 1e400', withText('{"model_type": "opt", "vocab_size": 1e400}')],
      ['RC0154', 'bytes that are no UTF-8', withText(Buffer.from('{"model_type": "\u00ff"}', 'latin1'))],
      ['RC0155', 'twenty megabytes', withText(Buffer.alloc(20_000_000, ' '))],
      ['RC0202', 'a list', withText('[]')],
      ['RC02', 'no model type', withConfig({}, ['model_type'])],
      ['RC02', 'an unknown model type', withConfig({ model_type: 'oprah' })],
      ['RC02', 'the model type __proto__', withConfig({ model_type: '__proto__' })],
      ['RC02', 'no hidden size', withConfig({}, ['hidden_size'])],
      ...(
        [
          'hidden_size',
          'num_hidden_layers',
          'num_attention_heads',
          'vocab_size',
          'ffn_dim',
          'max_position_embeddings',
        ] as const
      ).flatMap((field) =>
        [0, -1, 1.5, 1e9, '16', null, [16], true].map(
          (value) => ['RC02', `${field} ${JSON.stringify(value)}`, withConfig({ [field]: value })] as const,
        ),
      ),
      ['RC0205', 'heads that do not divide', withConfig({ num_attention_heads: 3 })],
      ['RC02', 'another vocabulary', withConfig({ vocab_size: 33 })],
      ['RC02', 'more layers than tensors', withConfig({ num_hidden_layers: 3 })],
      ['RC02', 'fewer layers than tensors', withConfig({ num_hidden_layers: 1 })],
      ['RC0206', 'an unknown activation', withConfig({ activation_function: 'mish' })],
      ['RC02', 'a token id in quotes', withConfig({ eos_token_id: '</s>' })],
      ['RC0208', 'heads to be pruned', withConfig({ pruned_heads: { 0: [1] } })],
      [
        'RC0134',
        'a folder',
        (dir) => {
          rmSync(join(dir, 'config.json'));
          mkdirSync(join(dir, 'config.json'));
        },
      ],
    ];
    for (const [code, what, damage] of cases) it(`refuses ${what}`, () => compileDamaged(code, damage));

    const vitCases: readonly (readonly [string, object])[] = [
      ['a patch that does not divide the image', { patch_size: 3 }],
      ['an epsilon below 0', { layer_norm_eps: -1 }],
      ['an epsilon in quotes', { layer_norm_eps: 'NaN' }],
      ['no labels', { num_labels: 0, id2label: {} }],
    ];
    for (const [what, fields] of vitCases) {
      it(`refuses ${what}`, () => compileDamaged('RC02', withConfig(fields), 'vit'));
    }
    it('passes over an empty list of architectures, and code of other people', async () => {
      const dir = copyOf(at);
      withConfig({ architectures: [], auto_map: { AutoModel: 'x.Y' }, pruned_heads: {} })(dir);
      await ok('compile', dir, '-o', at('work', 'lenient'));
      rmSync(at('work', 'lenient'), { recursive: true });
    });
    it('refuses a context that the model does not have', () =>
      refuses('RC0254', ['compile', at('sound'), '-o', at('work', 'out'), '--context-window-size', '49']));
  });

  describe('tokenizer.json', () => {
    const withTokenizer = (text: string | Uint8Array) => (dir: string) => {
      writeFileSync(join(dir, 'tokenizer.json'), text);
    };
    const changed = (change: (tokenizer: Record<string, unknown>) => object): string =>
      JSON.stringify(change({ ...tokenizerJson() }));
    const model = (fields: object): string =>
      changed((tokenizer) => ({ ...tokenizer, model: { ...(tokenizer['model'] as object), ...fields } }));
    const bos = (id: unknown): string =>
      changed((tokenizer) => ({
        ...tokenizer,
        post_processor: {
          type: 'TemplateProcessing',
          single: [{ SpecialToken: { id: 'x' } }],
          special_tokens: { x: { ids: [id] } },
        },
      }));
    const cases: readonly (readonly [code: string, what: string, text: string | Uint8Array])[] = [
      ['RC0150', 'that is not JSON', 'not JSON'],
      ['RC0150', 'that is empty', ''],
      ['RC0154', 'that is not UTF-8', Buffer.of(0x7b, 0xff, 0x7d)],
      ['RC0151', 'with two models', '{"model": {}, "model": {}}'],
      ['RC0155', 'of 65 MB', Buffer.alloc(65_000_000, ' ')],
      ['RC0152', 'that is nested deeply', `{"post_processor":${'{"type":"Sequence","processors":['.repeat(50_000)}`],
      ['RC0301', 'that is null', 'null'],
      ['RC0301', 'that is a list', '[]'],
      ['RC0301', 'without a model', '{}'],
      ['RC0301', 'whose model has no vocabulary', '{"model": {"type": "BPE"}}'],
      ['RC0303', 'whose vocabulary has no ids', model({ vocab: { a: null } })],
      ['RC0303', 'whose vocabulary has texts', model({ vocab: { a: '../x' } })],
      ['RC0303', 'whose vocabulary has fractions', model({ vocab: { a: 1.5 } })],
      ['RC0303', 'whose merges are no text', model({ merges: [1, 2] })],
      ['RC0303', 'whose merges are null', model({ merges: null })],
      ['RC0303', 'with an added token that is null', changed((tokenizer) => ({ ...tokenizer, added_tokens: [null] }))],
      ['RC0304', 'with an id beyond the model', model({ vocab: { a: 3000 } })],
      ['RC0302', 'whose start token the model does not have', bos(32)],
      ['RC0302', 'whose start token is negative', bos(-1)],
      ['RC0302', 'whose start token is a fraction', bos(1.5)],
    ];
    for (const [code, what, text] of cases) it(`refuses one ${what}`, () => compileDamaged(code, withTokenizer(text)));
    it('refuses a tokenizer_config.json that is not JSON', () =>
      compileDamaged('RC0150', (dir) => {
        writeFileSync(join(dir, 'tokenizer_config.json'), '{');
      }));

    /** What the library cannot read shows when a text comes; ids still work. */
    const unreadable: readonly (readonly [string, string])[] = [
      ['an unknown decoder', changed((tokenizer) => ({ ...tokenizer, decoder: { type: 'Magic' } }))],
      ['an unknown pre-tokenizer', changed((tokenizer) => ({ ...tokenizer, pre_tokenizer: { type: 'Magic' } }))],
      [
        'a regular expression that is none',
        changed((tokenizer) => ({
          ...tokenizer,
          pre_tokenizer: { type: 'Split', pattern: { Regex: '(' }, behavior: 'Isolated' },
        })),
      ],
    ];
    for (const [what, text] of unreadable) {
      it(`refuses a text where the tokenizer has ${what}`, async () => {
        const dir = copyOf(at);
        withTokenizer(text)(dir);
        await refuses('RC', ['run', dir, '--prompt', 'a', '-n', '1']);
      });
    }
  });
});
