/** @file `config.json` of OPT (transformers `OPTConfig`). */
import * as z from 'zod';
import type { JsonDocument } from '../json.ts';
import {
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
import type { OptConfig } from './types.ts';

/** The default of torch.nn.LayerNorm; OPT has no field for it. */
const TORCH_LAYER_NORM_EPS = 1e-5;

const schema = z.object({
  vocab_size: size().default(50272),
  hidden_size: size().default(768),
  num_hidden_layers: layerCount().default(12),
  ffn_dim: size().default(3072),
  max_position_embeddings: size().default(2048),
  do_layer_norm_before: flag().default(true),
  _remove_final_layer_norm: flag().default(false),
  word_embed_proj_dim: size().nullish(),
  num_attention_heads: size().default(12),
  activation_function: word().default('relu'),
  enable_bias: flag().default(true),
  layer_norm_elementwise_affine: flag().default(true),
  tie_word_embeddings: flag().default(true),
  bos_token_id: tokenIds.default(2),
  eos_token_id: tokenIds.default(2),
});

/** @throws RadialError RC0204 – RC0206 */
export function readOptConfig(document: JsonDocument): OptConfig {
  const fields = readFields(document, schema);
  mustDivide(document, ['num_attention_heads', fields.num_attention_heads], ['hidden_size', fields.hidden_size]);
  return {
    family: 'opt',
    hiddenSize: fields.hidden_size,
    layers: fields.num_hidden_layers,
    heads: fields.num_attention_heads,
    ffn: fields.ffn_dim,
    activation: readActivation(document, 'activation_function', fields.activation_function),
    vocab: fields.vocab_size,
    maxPositions: fields.max_position_embeddings,
    tieWordEmbeddings: fields.tie_word_embeddings,
    bosTokenId: idsInVocabulary(fields.bos_token_id, fields.vocab_size)[0] ?? null,
    eosTokenIds: idsInVocabulary(fields.eos_token_id, fields.vocab_size),
    preNorm: fields.do_layer_norm_before,
    wordEmbedProjDim: fields.word_embed_proj_dim ?? fields.hidden_size,
    enableBias: fields.enable_bias,
    layerNormElementwiseAffine: fields.layer_norm_elementwise_affine,
    removeFinalLayerNorm: fields._remove_final_layer_norm,
    eps: TORCH_LAYER_NORM_EPS,
  };
}
