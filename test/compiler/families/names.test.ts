/** @file The names under which checkpoints hold their tensors: prefixes, buffers. */
import assert from 'node:assert/strict';
import { buildNetwork } from '../../../compiler/frontend/families/index.ts';
import { createInterpreter } from '../../../ir/interpreter/index.ts';
import type { WeightSource } from '../../../ir/weights.ts';
import type { JsonObject } from '../../../compiler/frontend/json.ts';
import { configOf, inventedTensors, renamed, sourceOf, tinyGpt2, tinyLlama, tinyOpt, tinyVit } from './support.ts';

const ids = [3, 30, 0, 7];

/** Title, fields, the prefix that init writes, and the others that are understood. */
const cases: readonly (readonly [string, JsonObject, string, readonly string[]])[] = [
  ['OPT', tinyOpt, 'model.decoder.', ['decoder.', '']],
  ['OPT, untied', { ...tinyOpt, tie_word_embeddings: false }, 'model.decoder.', ['decoder.', '']],
  ['GPT-2', tinyGpt2, 'transformer.', ['']],
  ['GPT-2, untied', { ...tinyGpt2, tie_word_embeddings: false }, 'transformer.', ['']],
  ['Llama, untied', { ...tinyLlama, tie_word_embeddings: false }, 'model.', ['']],
  ['Llama, tied', { ...tinyLlama, tie_word_embeddings: true }, 'model.', ['']],
  ['ViT', tinyVit, 'vit.', ['']],
];

describe('families: names of tensors', () => {
  for (const [title, fields, canonical, others] of cases) {
    for (const prefix of others) {
      it(`${title}: "${prefix}" for "${canonical}"`, () => {
        const source = sourceOf(inventedTensors(configOf(fields)));
        const other = renamed(source, (name) =>
          name.startsWith(canonical) ? prefix + name.slice(canonical.length) : name,
        );
        assert.ok(other.names().every((name) => !name.startsWith(canonical)));
        assert.deepEqual(outputs(fields, other), outputs(fields, source));
      });
    }
  }

  it('masks, rotary frequencies, version marks and poolers are passed over', () => {
    const buffers: readonly (readonly [JsonObject, readonly string[]])[] = [
      [tinyOpt, ['version', 'decoder.version']],
      [tinyGpt2, ['transformer.h.0.attn.bias', 'transformer.h.1.attn.masked_bias', 'h.1.attn.bias']],
      [tinyLlama, ['model.layers.0.self_attn.rotary_emb.inv_freq', 'model.rotary_emb.inv_freq', 'rotary_emb.inv_freq']],
      [tinyVit, ['vit.pooler.dense.weight', 'vit.pooler.dense.bias', 'vit.embeddings.mask_token']],
    ];
    for (const [fields, names] of buffers) {
      const tensors = inventedTensors(configOf(fields));
      const plain = outputs(fields, sourceOf(tensors));
      for (const name of names) tensors.set(name, { shape: [2], data: Float32Array.of(1e9, -1e9) });
      assert.deepEqual(outputs(fields, sourceOf(tensors)), plain);
    }
  });
});

function outputs(fields: JsonObject, source: WeightSource): readonly Float32Array[] {
  const network = buildNetwork(configOf(fields), source, { name: 'm' });
  const interpreter = createInterpreter(network, source);
  if (network.task === 'causal-lm') return interpreter.runTokens(ids).logits;
  return interpreter.runImage(Float32Array.from({ length: 3 * 8 * 8 }, (_, i) => Math.sin(i))).logits;
}
