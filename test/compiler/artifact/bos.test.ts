/** @file Which token a text begins with. */
import assert from 'node:assert/strict';
import { bosRule } from '../../../compiler/artifact/index.ts';

describe('bosRule', () => {
  const template = (id: string): object => ({
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id, type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    special_tokens: { [id]: { id, ids: [5], tokens: [id] } },
  });
  const level = { type: 'ByteLevel' };

  it('follows the configuration, then the template', () => {
    const tokenizer = {
      post_processor: template('<s>'),
      added_tokens: [{ id: 9, content: '<bos>' }],
      model: { vocab: { plain: 3 } },
    };
    assert.deepEqual(bosRule(tokenizer, undefined, null), { bos: 5, addBos: true });
    assert.deepEqual(bosRule(tokenizer, { add_bos_token: false }, 1), { bos: 5, addBos: false });
    const bare = { ...tokenizer, post_processor: level };
    assert.deepEqual(bosRule(bare, { add_bos_token: true, bos_token: '<bos>' }, 1), { bos: 9, addBos: true });
    assert.deepEqual(bosRule(bare, { add_bos_token: true, bos_token: { content: 'plain' } }, 1), {
      bos: 3,
      addBos: true,
    });
    assert.deepEqual(bosRule(bare, { add_bos_token: true }, 1), { bos: 1, addBos: true });
    assert.deepEqual(bosRule(bare, { bos_token: '<bos>' }, 1), { bos: 9, addBos: false });
    assert.deepEqual(bosRule(bare, { add_bos_token: true }, null), { bos: null, addBos: false });
  });

  it('looks into sequences of post processors', () => {
    const post_processor = { type: 'Sequence', processors: [level, template('<s>')] };
    assert.deepEqual(bosRule({ post_processor }, {}, null), { bos: 5, addBos: true });
  });

  it('survives what it does not expect', () => {
    const odd = [null, 3, [], { post_processor: 3 }, { post_processor: { type: 'TemplateProcessing', single: [3] } }];
    for (const tokenizer of odd) assert.deepEqual(bosRule(tokenizer, 'x', null), { bos: null, addBos: false });
    const empty = { type: 'TemplateProcessing', single: [{ SpecialToken: { id: '__proto__' } }], special_tokens: {} };
    assert.deepEqual(bosRule({ post_processor: empty }, { bos_token: 'constructor' }, null), {
      bos: null,
      addBos: false,
    });
  });
});
