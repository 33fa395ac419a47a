/** @file `config.json` of Llama (transformers `LlamaConfig`). */
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
  refuse,
  refuseOptions,
  size,
  tokenIds,
  word,
} from './fields.ts';
import { readRope, ropeTheta } from './rope.ts';
import type { LlamaConfig } from './types.ts';

const schema = z.object({
  vocab_size: size().default(32000),
  hidden_size: size().default(4096),
  intermediate_size: size().default(11008),
  num_hidden_layers: layerCount().default(32),
  num_attention_heads: size().default(32),
  num_key_value_heads: size().nullish(),
  head_dim: size().nullish(),
  hidden_act: word().default('silu'),
  max_position_embeddings: size().default(2048),
  rms_norm_eps: epsilon().default(1e-6),
  rope_theta: ropeTheta().nullish(),
  attention_bias: flag().default(false),
  mlp_bias: flag().default(false),
  tie_word_embeddings: flag().default(false),
  bos_token_id: tokenIds.default(1),
  eos_token_id: tokenIds.default(2),
});

/** @throws RadialError RC0204 – RC0208 */
export function readLlamaConfig(document: JsonDocument): LlamaConfig {
  const fields = readFields(document, schema);
  refuseOptions(document, { sliding_window: [], partial_rotary_factor: [1] });
  const heads = fields.num_attention_heads;
  const kvHeads = fields.num_key_value_heads ?? heads;
  mustDivide(document, ['num_key_value_heads', kvHeads], ['num_attention_heads', heads]);
  const headDim = fields.head_dim ?? fields.hidden_size / heads;
  if (!Number.isInteger(headDim)) {
    mustDivide(document, ['num_attention_heads', heads], ['hidden_size', fields.hidden_size]);
  }
  if (headDim % 2 !== 0) {
    refuse(
      document,
      'RC0205',
      ['head_dim'],
      `rotary positions need an even head_dim, found ${headDim}`,
      'head_dim, or hidden_size / num_attention_heads where it is left out, must be even',
    );
  }
  const rope = readRope(document, fields.rope_theta ?? undefined);
  return {
    family: 'llama',
    hiddenSize: fields.hidden_size,
    layers: fields.num_hidden_layers,
    heads,
    ffn: fields.intermediate_size,
    activation: readActivation(document, 'hidden_act', fields.hidden_act),
    vocab: fields.vocab_size,
    maxPositions: fields.max_position_embeddings,
    tieWordEmbeddings: fields.tie_word_embeddings,
    bosTokenId: idsInVocabulary(fields.bos_token_id, fields.vocab_size)[0] ?? null,
    eosTokenIds: idsInVocabulary(fields.eos_token_id, fields.vocab_size),
    kvHeads,
    headDim,
    eps: fields.rms_norm_eps,
    ropeTheta: rope.theta,
    ropeScaling: rope.scaling,
    attentionBias: fields.attention_bias,
    mlpBias: fields.mlp_bias,
  };
}
