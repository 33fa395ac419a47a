/** @file The checkpoint that training writes: read back, refused, and understood by the compiler's front end. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { loadCheckpoint, openCheckpoint } from '../../../compiler/frontend/index.ts';
import {
  evaluate,
  loadTrainedModel,
  openTokenizer,
  parameterSpecs,
  sample,
  startBackend,
  tokenizerFiles,
  trainBpe,
  writeCheckpoint,
} from '../../../compiler/training/index.ts';
import type { ModelShape } from '../../../compiler/training/index.ts';
import { forward, initialParameters, parameterTensors } from '../../../compiler/training/model.ts';
import { createInterpreter } from '../../../ir/index.ts';
import { withEmptyFolder } from './support.ts';

const shape: ModelShape = { layers: 2, hidden: 16, heads: 2, ffn: 64, vocab: 300, context: 24 };
const vocabulary = trainBpe(['the state of the union is the state of the states of the union'], 300);
const tokenizer = tokenizerFiles(vocabulary, shape.context);

/** Random everywhere, as F16 holds it. */
function someParameters(): Float32Array {
  return initialParameters(parameterSpecs(shape), 1).map((x, i) => x + Math.round(64 * Math.sin(i)) / 512);
}

describe('the exported checkpoint', () => {
  before(startBackend);

  it('comes back as it was written, rounded to F16', () =>
    withEmptyFolder((folder) => {
      const flat = someParameters();
      writeCheckpoint(folder, shape, flat, tokenizer);
      const model = loadTrainedModel(folder);
      assert.deepEqual(model.shape, shape);
      const worst = model.parameters.reduce((most, x, i) => Math.max(most, Math.abs(x - (flat[i] ?? 0))), 0);
      assert.ok(worst < 1e-3, String(worst));
      assert.equal(model.codec.decode(model.codec.encode('the state')), 'the state');
      assert.deepEqual([model.tokenBytes[2], model.tokenBytes[4]], [0, 1]);
    }));

  it('has the names, shapes and dtype of OPT checkpoints, and no head of its own', () =>
    withEmptyFolder((folder) => {
      writeCheckpoint(folder, shape, someParameters(), tokenizer);
      const checkpoint = openCheckpoint(folder);
      const { config, weights } = checkpoint;
      assert.equal(config.family, 'opt');
      assert.deepEqual(weights.shape('model.decoder.embed_positions.weight'), [26, 16]);
      assert.deepEqual(weights.shape('model.decoder.layers.1.fc1.weight'), [64, 16]);
      assert.equal(weights.dtype('model.decoder.layers.0.self_attn.k_proj.bias'), 'F16');
      assert.equal(weights.names().length, 4 + 2 * 16);
      assert.equal(weights.shape('lm_head.weight'), undefined);
      checkpoint.close();
    }));

  it('means the same to the reference interpreter', () =>
    withEmptyFolder((folder) => {
      writeCheckpoint(folder, shape, someParameters(), tokenizer);
      const { parameters } = loadTrainedModel(folder);
      const ids = [2, 50, 51, 299, 4, 51];
      const tensors = parameterTensors(parameterSpecs(shape), parameters);
      const expected = tf.tidy(() =>
        forward(tensors, shape, { ids: Int32Array.from(ids), batch: 1 }).dataSync<'float32'>(),
      );
      tf.dispose([...tensors.values()]);
      const actual = interpret(folder, ids);
      assert.equal(actual.length, expected.length);
      for (const [i, x] of expected.entries()) assert.ok(Math.abs(x - (actual[i] ?? NaN)) < 1e-4, `${i}: ${x}`);
    }));

  it('is measured and sampled', () => {
    const flat = someParameters();
    const text = Uint16Array.from({ length: 100 }, (_, i) => 4 + i);
    const { loss, count } = evaluate(shape, flat, text, { tokens: 24, batch: 3 });
    assert.equal(count, 96);
    assert.ok(loss > 0 && loss < 20);
    assert.equal(evaluate(shape, flat, text, { tokens: 24, batch: 1, maxWindows: 2 }).count, 48);
    const write = (temperature: number, seed: number): readonly number[] =>
      sample(shape, flat, [50, 51], { count: 6, temperature, seed });
    assert.deepEqual(write(0, 1), write(0, 2));
    assert.deepEqual(write(1, 1), write(1, 1));
    assert.ok(sample(shape, flat, [50], { count: 99, temperature: 1, seed: 3 }).length <= shape.context - 2);
    assert.equal(typeof openTokenizer(tokenizer).decode(write(1, 1)), 'string');
  });

  it('RC1106: another architecture is refused', () =>
    withEmptyFolder((folder) => {
      writeCheckpoint(folder, shape, someParameters(), tokenizer);
      assert.deepEqual(loadTrainedModel(folder, { ...shape }).shape, shape);
      assert.throws(() => loadTrainedModel(folder, { ...shape, vocab: 301 }), /RC1106/);
      const path = join(folder, 'config.json');
      const sound = JSON.parse(readFileSync(path, 'utf8')) as object;
      const others: readonly (readonly [object, RegExp])[] = [
        [{ do_layer_norm_before: false }, /do_layer_norm_before is false, not true/],
        [{ activation_function: 'gelu' }, /activation_function is gelu, not relu/],
        [{ tie_word_embeddings: false, enable_bias: false }, /tie_word_embeddings is false.*enable_bias is false/],
        [{ layer_norm_elementwise_affine: false }, /layer_norm_elementwise_affine is false/],
        [{ _remove_final_layer_norm: true }, /_remove_final_layer_norm is true, not false/],
        [{ word_embed_proj_dim: 8 }, /word_embed_proj_dim is 8, not 16/],
        [{ vocab_size: 65537 }, /65537 tokens is larger than the 65536/],
        [{ bos_token_id: 0 }, /bos_token_id is 0, not 2/],
        [{ model_type: 'gpt2', architectures: ['GPT2LMHeadModel'] }, /family gpt2/],
      ];
      for (const [change, found] of others) {
        writeFileSync(path, JSON.stringify({ ...sound, ...change }));
        assert.throws(() => loadTrainedModel(folder), /RC1106/);
        assert.throws(() => loadTrainedModel(folder), found);
      }
      writeFileSync(path, JSON.stringify(sound));
      writeFileSync(join(folder, 'generation_config.json'), JSON.stringify({ eos_token_id: [2, 7] }));
      assert.throws(() => loadTrainedModel(folder), /eos_token_id is 2, 7, not 2/);
    }));

  it('RC1203: a model without a tokenizer is refused, as is one whose tokenizer is damaged', () =>
    withEmptyFolder((folder) => {
      writeCheckpoint(folder, shape, someParameters(), tokenizer);
      const path = join(folder, 'tokenizer.json');
      const sound = readFileSync(path, 'utf8');
      const { model } = JSON.parse(sound) as { model: object };
      const broken: readonly (readonly [string, RegExp])[] = [
        ['{"model": ', /RC0150/],
        ['{"model": {}}', /RC0301/],
        [JSON.stringify({ model: { ...model, merges: [1] }, added_tokens: [] }), /RC0303/],
        [JSON.stringify({ model: { ...model, type: 'Other' }, added_tokens: [] }), /RC0815/],
      ];
      for (const [text, code] of broken) {
        writeFileSync(path, text);
        assert.throws(() => loadTrainedModel(folder), code);
      }
      writeFileSync(path, sound);
      const config = join(folder, 'tokenizer_config.json');
      writeFileSync(config, '[]');
      assert.throws(() => loadTrainedModel(folder), /RC0202/);
      rmSync(config);
      const { codec } = loadTrainedModel(folder);
      assert.equal(codec.decode(codec.encode('the state')), 'the state');
      rmSync(path);
      assert.throws(() => loadTrainedModel(folder), /RC1203/);
    }));
});

/** The reference interpreter's logits of all positions, one after another. */
function interpret(folder: string, ids: readonly number[]): readonly number[] {
  const { network, weights, checkpoint } = loadCheckpoint(folder);
  try {
    return createInterpreter(network, weights)
      .runTokens(ids)
      .logits.flatMap((row) => [...row]);
  } finally {
    checkpoint.close();
  }
}
