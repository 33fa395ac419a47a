/** @file config.json: what each family reads, and the defaults. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { readConfig } from '../../../compiler/frontend/config/read-config.ts';
import type {
  Gpt2Config,
  LlamaConfig,
  ModelConfig,
  OptConfig,
  VitConfig,
} from '../../../compiler/frontend/config/types.ts';
import { parseJson, readJsonFile } from '../../../compiler/frontend/json.ts';
import { sharedData } from '../../support/shared.ts';

type Fields = Readonly<Record<string, unknown>>;

const read = (fields: unknown): ModelConfig =>
  readConfig(parseJson(Buffer.from(JSON.stringify(fields, null, 1)), 'config.json'));
const opt = (fields: Fields = {}) => read({ model_type: 'opt', ...fields }) as OptConfig;
const gpt2 = (fields: Fields = {}) => read({ model_type: 'gpt2', ...fields }) as Gpt2Config;
const llama = (fields: Fields = {}) => read({ model_type: 'llama', ...fields }) as LlamaConfig;
const vit = (fields: Fields = {}) => read({ model_type: 'vit', ...fields }) as VitConfig;

describe('config.json, the defaults of Hugging Face', () => {
  it('OPT', () => {
    assert.deepEqual(opt(), {
      family: 'opt',
      hiddenSize: 768,
      layers: 12,
      heads: 12,
      ffn: 3072,
      activation: 'relu',
      vocab: 50272,
      maxPositions: 2048,
      tieWordEmbeddings: true,
      bosTokenId: 2,
      eosTokenIds: [2],
      preNorm: true,
      wordEmbedProjDim: 768,
      enableBias: true,
      layerNormElementwiseAffine: true,
      removeFinalLayerNorm: false,
      eps: 1e-5,
    });
  });

  it('GPT-2', () => {
    assert.deepEqual(gpt2(), {
      family: 'gpt2',
      hiddenSize: 768,
      layers: 12,
      heads: 12,
      ffn: 3072,
      activation: 'gelu_tanh',
      vocab: 50257,
      maxPositions: 1024,
      tieWordEmbeddings: true,
      bosTokenId: 50256,
      eosTokenIds: [50256],
      eps: 1e-5,
      scaleAttention: true,
      scaleAttentionByLayer: false,
    });
  });

  it('Llama', () => {
    assert.deepEqual(llama(), {
      family: 'llama',
      hiddenSize: 4096,
      layers: 32,
      heads: 32,
      ffn: 11008,
      activation: 'silu',
      vocab: 32000,
      maxPositions: 2048,
      tieWordEmbeddings: false,
      bosTokenId: 1,
      eosTokenIds: [2],
      kvHeads: 32,
      headDim: 128,
      eps: 1e-6,
      ropeTheta: 10000,
      ropeScaling: { kind: 'none' },
      attentionBias: false,
      mlpBias: false,
    });
  });

  it('ViT', () => {
    assert.deepEqual(vit(), {
      family: 'vit',
      hiddenSize: 768,
      layers: 12,
      heads: 12,
      ffn: 3072,
      activation: 'gelu',
      imageSize: 224,
      patchSize: 16,
      channels: 3,
      eps: 1e-12,
      qkvBias: true,
      labels: 2,
      labelNames: [],
    });
  });
});

describe('config.json, what the families read', () => {
  it('OPT: the post-norm form with narrow embeddings', () => {
    const config = opt({
      do_layer_norm_before: false,
      word_embed_proj_dim: 512,
      hidden_size: 1024,
      num_attention_heads: 16,
    });
    assert.deepEqual([config.preNorm, config.wordEmbedProjDim], [false, 512]);
    assert.equal(opt({ word_embed_proj_dim: null, hidden_size: 24 }).wordEmbedProjDim, 24);
  });

  it('GPT-2: the inner width', () => {
    assert.equal(gpt2({ n_embd: 24, n_inner: null }).ffn, 96);
    assert.equal(gpt2({ n_embd: 24, n_inner: 50 }).ffn, 50);
  });

  it('GPT-2: sizes under the names of other families', () => {
    const own = gpt2({ n_embd: 40, n_head: 5, n_layer: 2, n_positions: 23 });
    const names = { hidden_size: 40, num_attention_heads: 5, num_hidden_layers: 2, max_position_embeddings: 23 };
    assert.deepEqual(gpt2(names), own);
    assert.deepEqual(gpt2({ ...names, n_embd: 40, n_head: 5, n_layer: 2, n_positions: 23 }), own);
    assert.deepEqual([own.hiddenSize, own.heads, own.layers, own.maxPositions, own.ffn], [40, 5, 2, 23, 160]);
  });

  it('Llama: heads', () => {
    const config = llama({ hidden_size: 64, num_attention_heads: 8, num_key_value_heads: 2 });
    assert.deepEqual([config.kvHeads, config.headDim], [2, 8]);
    assert.equal(llama({ hidden_size: 100, num_attention_heads: 8, head_dim: 16 }).headDim, 16);
    assert.equal(llama({ num_key_value_heads: null, head_dim: null }).kvHeads, 32);
  });

  it('Llama: rotary positions, in the words of transformers 4 and 5', () => {
    const llama3 = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };
    const expected = { kind: 'llama3', factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositions: 8192 };
    assert.deepEqual(llama({ rope_scaling: { rope_type: 'llama3', ...llama3 } }).ropeScaling, expected);
    const version5 = llama({ rope_parameters: { rope_type: 'llama3', rope_theta: 5e5, ...llama3 } });
    assert.deepEqual([version5.ropeTheta, version5.ropeScaling], [5e5, expected]);
    assert.deepEqual(llama({ rope_scaling: { type: 'linear', factor: 2 } }).ropeScaling, { kind: 'linear', factor: 2 });
    assert.deepEqual(llama({ rope_theta: 7, rope_parameters: { rope_type: 'default' } }).ropeTheta, 7);
    assert.deepEqual(llama({ rope_theta: null, rope_scaling: null }).ropeTheta, 10000);
  });

  it('Llama: rotary positions that are given twice, or with fields that say nothing', () => {
    const twice = { kind: 'linear', factor: 2 };
    const scalings: readonly Fields[] = [
      { type: 'linear', rope_type: 'linear', factor: 2 },
      { rope_type: null, type: 'linear', factor: 2 },
      { rope_type: 'linear', factor: 2, full_attention: null, partial_rotary_factor: null },
    ];
    for (const rope_scaling of scalings) assert.deepEqual(llama({ rope_scaling }).ropeScaling, twice);
    const both = { rope_scaling: scalings[0], rope_parameters: { rope_type: 'linear', factor: 2, rope_theta: 5 } };
    assert.deepEqual([llama(both).ropeScaling, llama(both).ropeTheta], [twice, 5]);
    assert.equal(llama({ ...both, rope_theta: 5 }).ropeTheta, 5);
    assert.deepEqual(llama({ rope_parameters: { rope_theta: 5 } }).ropeScaling, { kind: 'none' });
    assert.deepEqual(llama({ rope_scaling: { rope_type: 'default', factor: 1 } }).ropeScaling, { kind: 'none' });
    assert.deepEqual(llama({ original_max_position_embeddings: 9 }).ropeScaling, { kind: 'none' });
  });

  it('Llama: what Meta has published', () => {
    const llama2 = { hidden_size: 4096, max_position_embeddings: 4096, rms_norm_eps: 1e-5, rope_scaling: null };
    assert.deepEqual(llama({ ...llama2, pretraining_tp: 1 }).ropeScaling, { kind: 'none' });
    const { ropeTheta, ropeScaling } = llama({
      architectures: ['LlamaForCausalLM'],
      head_dim: 64,
      hidden_size: 2048,
      max_position_embeddings: 131072,
      num_key_value_heads: 8,
      rope_scaling: {
        factor: 32.0,
        high_freq_factor: 4.0,
        low_freq_factor: 1.0,
        original_max_position_embeddings: 8192,
        rope_type: 'llama3',
      },
      rope_theta: 500000.0,
      tie_word_embeddings: true,
    });
    assert.deepEqual([ropeTheta, ropeScaling.kind], [500000, 'llama3']);
  });

  it('ViT: the number of labels', () => {
    assert.equal(vit({ num_labels: 1000 }).labels, 1000);
    const config = vit({ num_labels: 1000, id2label: { 1: 'b', 0: 'a', 2: 'c' } });
    assert.deepEqual([config.labels, config.labelNames], [3, ['a', 'b', 'c']]);
    assert.equal(vit({ image_size: [32, 32], patch_size: 8 }).imageSize, 32);
  });

  it('activations, by all their names', () => {
    const names = { relu: 'relu', gelu: 'gelu', gelu_new: 'gelu_tanh', gelu_fast: 'gelu_tanh', tanh: 'tanh' };
    const more = { gelu_pytorch_tanh: 'gelu_tanh', silu: 'silu', swish: 'silu' };
    for (const [name, activation] of Object.entries({ ...names, ...more })) {
      assert.equal(gpt2({ activation_function: name }).activation, activation);
    }
  });

  it('ids that end a text, without those outside of the vocabulary', () => {
    assert.deepEqual(llama({ eos_token_id: [5, 7, 5, 32000, -1] }).eosTokenIds, [5, 7]);
    assert.deepEqual(llama({ eos_token_id: null, bos_token_id: null }).eosTokenIds, []);
    const { bosTokenId, eosTokenIds } = gpt2({ vocab_size: 3 });
    assert.deepEqual([bosTokenId, eosTokenIds], [null, []]);
  });

  it('passes over fields that change nothing', () => {
    const same = {
      use_cache: true,
      torch_dtype: 'float16',
      attn_pdrop: 0.1,
      quantization_config: null,
      sliding_window: null,
      architectures: [],
      pruned_heads: {},
      auto_map: { AutoModelForCausalLM: 'modeling.Model' },
    };
    assert.deepEqual(llama(same), llama());
    assert.deepEqual(llama({ __proto__x: 1, constructor: { a: 1 } }), llama());
  });
});

describe('config.json, real ones', () => {
  it('reads every reference config', function () {
    const folder = sharedData('configs');
    if (folder === undefined) this.skip();
    const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
    assert.ok(names.length >= 11);
    for (const name of names) {
      const config = readConfig(readJsonFile(folder, name));
      assert.equal(config.family, name.split('-')[0]);
      if (config.family === 'vit') assert.equal(config.labels, 1000);
      if (name === 'opt-350m.json') assert.deepEqual([config.layers, config.hiddenSize, config.heads], [24, 1024, 16]);
    }
  });

  it('reads the configs of the reference checkpoints', function () {
    const paths = [
      'stories260k',
      'gpt-nano-sort',
      'tiny-random/gpt2',
      'tiny-random/llama-gqa',
      'tiny-random/opt-pre',
      'tiny-random/vit',
    ];
    for (const path of paths) {
      const file = sharedData(`${path}/config.json`);
      if (file === undefined) this.skip();
      const config = readConfig(readJsonFile(dirname(file), basename(file)));
      assert.ok(config.layers >= 3);
      if (config.family === 'vit') assert.equal(config.labels, 10);
    }
  });
});
