/** @file Heads that are stored although config.json ties them: equal to the embedding, or refused. */
import assert from 'node:assert/strict';
import { buildNetwork } from '../../../compiler/frontend/families/index.ts';
import type { JsonObject } from '../../../compiler/frontend/json.ts';
import { createInterpreter } from '../../../ir/interpreter/index.ts';
import type { WeightSource } from '../../../ir/weights.ts';
import { failsWith } from '../frontend/support.ts';
import { configOf, inventedTensors, renamed, sourceOf, tinyGpt2, tinyLlama, tinyOpt } from './support.ts';
import type { InventedTensor } from './support.ts';

const HEAD = 'lm_head.weight';

/** Title, fields, the prefix that init writes, the embedding behind it, and the other prefixes. */
const cases: readonly (readonly [string, JsonObject, string, string, readonly string[]])[] = [
  ['OPT', tinyOpt, 'model.decoder.', 'embed_tokens.weight', ['decoder.', '']],
  ['OPT, projected', { ...tinyOpt, word_embed_proj_dim: 8 }, 'model.decoder.', 'embed_tokens.weight', ['decoder.', '']],
  ['GPT-2', tinyGpt2, 'transformer.', 'wte.weight', ['']],
  ['Llama', { ...tinyLlama, tie_word_embeddings: true }, 'model.', 'embed_tokens.weight', ['']],
];

describe('families: tied heads', () => {
  for (const [name, fields, canonical, embedding, others] of cases) {
    for (const prefix of [canonical, ...others]) {
      const withHead = (change: (head: InventedTensor) => InventedTensor): WeightSource => {
        const tensors = inventedTensors(configOf(fields));
        const { shape, data } = tensors.get(canonical + embedding) ?? assert.fail();
        tensors.set(HEAD, change({ shape, data: data.slice() }));
        return renamed(sourceOf(tensors), (stored) =>
          stored.startsWith(canonical) ? prefix + stored.slice(canonical.length) : stored,
        );
      };
      const title = `${name}, "${prefix}"`;

      it(`${title}: one that is the embedding changes nothing`, () => {
        const source = withHead((head) => head);
        const without = renamed(source, (stored) => (stored === HEAD ? undefined : stored));
        assert.deepEqual(logits(fields, source), logits(fields, without));
      });

      it(`${title}: RC0255, another one`, () => {
        const source = withHead(({ shape, data }) => ({ shape, data: data.with(-1, 7) }));
        const { message, place, help } = failsWith('RC0255', () => build(fields, source));
        assert.match(message, new RegExp(`"${HEAD}" is not "${prefix}${embedding}": they differ from element \\d+ on`));
        assert.deepEqual(place, { file: 'folder', subject: `tensor "${HEAD}"` });
        assert.match(help ?? '', /"tie_word_embeddings": false .*, or remove/);
      });

      it(`${title}: RC0251, one of another shape`, () => {
        const source = withHead(() => ({ shape: [3], data: Float32Array.of(1, 2, 3) }));
        const { message, place, help } = failsWith('RC0251', () => build(fields, source));
        assert.match(message, /shape \[3\], config\.json makes it \[31, \d+\]/);
        assert.deepEqual(place, { file: 'folder', subject: `tensor "${HEAD}"` });
        assert.match(help ?? '', /ties the head/);
      });
    }
  }

  it('RC0253: one that is stored as something else than weights', () => {
    const tensors = inventedTensors(configOf(tinyGpt2));
    tensors.set(HEAD, tensors.get('transformer.wte.weight') ?? assert.fail());
    const source = { ...sourceOf(tensors), dtype: (name: string) => (name === HEAD ? 'I32' : 'F32') };
    assert.match(failsWith('RC0253', () => build(tinyGpt2, source)).message, /stored as I32/);
  });

  it('are compared piece by piece, up to the first difference; without one nothing is read', () => {
    const fields = { ...tinyGpt2, vocab_size: 60_000 };
    const tensors = inventedTensors(configOf(fields));
    const { shape, data } = tensors.get('transformer.wte.weight') ?? assert.fail();
    const reads: string[] = [];
    let longest = 0;
    const counted = (source: WeightSource): WeightSource => ({
      ...source,
      read: (name, from, to) => {
        reads.push(name);
        longest = Math.max(longest, to - from);
        return source.read(name, from, to);
      },
    });
    build(fields, counted(sourceOf(tensors)));
    assert.deepEqual(reads, []);
    tensors.set(HEAD, { shape, data: data.with(300_000, 7) });
    assert.match(failsWith('RC0255', () => build(fields, counted(sourceOf(tensors)))).message, /element 300000 on/);
    assert.equal(reads.length, 4);
    assert.ok(longest < data.length / 2);
  });
});

function build(fields: JsonObject, source: WeightSource) {
  return buildNetwork(configOf(fields), source, { name: 'm', source: 'folder' });
}

function logits(fields: JsonObject, source: WeightSource): readonly Float32Array[] {
  return createInterpreter(build(fields, source), source).runTokens([3, 30, 0, 7]).logits;
}
