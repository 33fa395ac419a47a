/** @file `config.json` of GPT-2 (transformers `GPT2Config`). */
import * as z from 'zod';
import type { JsonDocument } from '../json.ts';
import {
  epsilon,
  flag,
  idsInVocabulary,
  layerCount,
  mustDivide,
  readActivation,
  readFields,
  size,
  tokenIds,
  word,
} from './fields.ts';
import type { Gpt2Config } from './types.ts';

const schema = z.object({
  vocab_size: size().default(50257),
  n_positions: size().default(1024),
  n_embd: size().default(768),
  n_layer: layerCount().default(12),
  n_head: size().default(12),
  n_inner: size().nullish(),
  activation_function: word().default('gelu_new'),
  layer_norm_epsilon: epsilon().default(1e-5),
  scale_attn_weights: flag().default(true),
  scale_attn_by_inverse_layer_idx: flag().default(false),
  tie_word_embeddings: flag().default(true),
  bos_token_id: tokenIds.default(50256),
  eos_token_id: tokenIds.default(50256),
});

/** @throws RadialError RC0204 – RC0206 */
export function readGpt2Config(document: JsonDocument): Gpt2Config {
  const fields = readFields(document, schema);
  mustDivide(document, ['n_head', fields.n_head], ['n_embd', fields.n_embd]);
  return {
    family: 'gpt2',
    hiddenSize: fields.n_embd,
    layers: fields.n_layer,
    heads: fields.n_head,
    ffn: fields.n_inner ?? 4 * fields.n_embd,
    activation: readActivation(document, 'activation_function', fields.activation_function),
    vocab: fields.vocab_size,
    maxPositions: fields.n_positions,
    tieWordEmbeddings: fields.tie_word_embeddings,
    bosTokenId: idsInVocabulary(fields.bos_token_id, fields.vocab_size)[0] ?? null,
    eosTokenIds: idsInVocabulary(fields.eos_token_id, fields.vocab_size),
    eps: fields.layer_norm_epsilon,
    scaleAttention: fields.scale_attn_weights,
    scaleAttentionByLayer: fields.scale_attn_by_inverse_layer_idx,
  };
}
