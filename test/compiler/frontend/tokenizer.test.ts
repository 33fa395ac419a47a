/** @file tokenizer.json: which are taken, and what is said of those that could read no text. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseJson } from '../../../compiler/frontend/json.ts';
import { checkTokenizer } from '../../../compiler/frontend/tokenizer/check-tokenizer.ts';
import { sharedData } from '../../support/shared.ts';
import { failsWith } from './support.ts';

const bpe = { type: 'BPE', vocab: { a: 0, b: 1, ab: 2 }, merges: ['a b'] };
const unigram = {
  type: 'Unigram',
  vocab: [
    ['a', 0],
    ['b', -1.5],
  ],
};
const sound = { model: bpe, added_tokens: [{ id: 3, content: '<s>', special: true }] };

function check(value: unknown, ids?: number): void {
  checkTokenizer(parseJson(Buffer.from(JSON.stringify(value)), 'tokenizer.json'), ids);
}

describe('tokenizers', () => {
  it('of the kinds that there are are taken', () => {
    check(sound, 4);
    check(sound);
    check({ ...sound, model: { ...bpe, merges: [['a', 'b']] } }, 4);
    check({ ...sound, model: { ...bpe, merges: [] } }, 4);
    check({ model: unigram, added_tokens: [{ id: 0, content: 'a' }] }, 2);
    check({ model: { type: 'WordPiece', vocab: { a: 0 } }, added_tokens: [] }, 1);
  });

  for (const [name, ids] of [
    ['opt-tokenizer', 50272],
    ['stories260k', 512],
  ] as const) {
    it(`${name} is taken`, function () {
      const folder = sharedData(name);
      if (folder === undefined) this.skip();
      checkTokenizer(parseJson(readFileSync(join(folder, 'tokenizer.json')), 'tokenizer.json'), ids);
    });
  }

  it('RC0301: without a model, its type or its vocabulary', () => {
    for (const value of [1, [], {}, { model: {} }, { model: { type: 'BPE' } }, { model: { ...bpe, type: 1 } }]) {
      failsWith('RC0301', () => {
        check(value);
      });
    }
  });

  const model = (fields: object): object => ({ ...sound, model: { ...bpe, ...fields } });
  const added = (token: unknown): object => ({ ...sound, added_tokens: [...sound.added_tokens, token] });
  for (const [field, value] of [
    ['model.vocab', model({ vocab: {} })],
    ['model.vocab', { ...sound, model: { ...unigram, vocab: [] } }],
    ['model.vocab.b', model({ vocab: { a: 0, b: 0 } })],
    ['model.vocab.b', model({ vocab: { a: 0, b: -1 } })],
    ['model.vocab.b', model({ vocab: { a: 0, b: 0.5 } })],
    ['model.vocab.b', model({ vocab: { a: 0, b: '1' } })],
    ['model.vocab.b', model({ vocab: { a: 0, b: 2 ** 60 } })],
    ['model.vocab.1', { ...sound, model: { ...unigram, vocab: [['a', 0], 'b'] } }],
    ['model.merges', { ...sound, model: { ...bpe, merges: undefined } }],
    ['model.merges', model({ merges: { a: 'b' } })],
    ['model.merges.1', model({ merges: ['a b', 'ab'] })],
    ['model.merges.1', model({ merges: ['a b', ['a', 'b']] })],
    ['model.merges.0', model({ merges: [['a', 'b', 'c']] })],
    ['model.merges.0', model({ merges: [null] })],
    ['added_tokens', { model: bpe }],
    ['added_tokens', { model: bpe, added_tokens: null }],
    ['added_tokens.1', added(null)],
    ['added_tokens.1', added({ id: 2 })],
    ['added_tokens.1', added({ id: -1, content: 'x' })],
  ] as const) {
    it(`RC0303: ${field} of ${JSON.stringify(value)}`, () => {
      const { message, place } = failsWith('RC0303', () => {
        check(value);
      });
      assert.ok(message.startsWith(`"${field}" `), message);
      assert.equal(place?.file, 'tokenizer.json');
    });
  }

  it('RC0304: ids that the model does not have', () => {
    const refused = (value: unknown, ids: number, field: string, id: number): void => {
      const { message } = failsWith('RC0304', () => {
        check(value, ids);
      });
      assert.equal(message, `"${field}" has the id ${id}, the model has ${ids} tokens`);
    };
    refused(sound, 2, 'model.vocab.ab', 2);
    // An added token may lie outside: many do, for padding.
    check(sound, 3);
    refused({ model: unigram, added_tokens: [] }, 1, 'model.vocab.1', 1);
  });
});
