/**
 * @file `config.json` of GPT-2 (transformers `GPT2Config`).
 *
 * Four sizes have two names each (its `attribute_map`); a config may use either, or both where they agree.
 */
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
  size,
  tokenIds,
  word,
} from './fields.ts';
import type { NamedSize } from './fields.ts';
import type { Gpt2Config } from './types.ts';

const schema = z.object({
  vocab_size: size().default(50257),
  n_positions: size().optional(),
  max_position_embeddings: size().optional(),
  n_embd: size().optional(),
  hidden_size: size().optional(),
  n_layer: layerCount().optional(),
  num_hidden_layers: layerCount().optional(),
  n_head: size().optional(),
  num_attention_heads: size().optional(),
  n_inner: size().nullish(),
  activation_function: word().default('gelu_new'),
  layer_norm_epsilon: epsilon().default(1e-5),
  scale_attn_weights: flag().default(true),
  scale_attn_by_inverse_layer_idx: flag().default(false),
  tie_word_embeddings: flag().default(true),
  bos_token_id: tokenIds.default(50256),
  eos_token_id: tokenIds.default(50256),
});

type Fields = z.infer<typeof schema>;

/** The second names of four sizes, and what they are where neither name is given. */
const aliases = {
  n_embd: ['hidden_size', 768],
  n_head: ['num_attention_heads', 12],
  n_layer: ['num_hidden_layers', 12],
  n_positions: ['max_position_embeddings', 1024],
} as const satisfies Partial<Record<keyof Fields, readonly [keyof Fields, number]>>;

/** @throws RadialError RC0204 – RC0206 */
export function readGpt2Config(document: JsonDocument): Gpt2Config {
  const fields = readFields(document, schema);
  const width = sizeOf(document, fields, 'n_embd');
  const heads = sizeOf(document, fields, 'n_head');
  mustDivide(document, heads, width);
  return {
    family: 'gpt2',
    hiddenSize: width[1],
    layers: sizeOf(document, fields, 'n_layer')[1],
    heads: heads[1],
    ffn: fields.n_inner ?? 4 * width[1],
    activation: readActivation(document, 'activation_function', fields.activation_function),
    vocab: fields.vocab_size,
    maxPositions: sizeOf(document, fields, 'n_positions')[1],
    tieWordEmbeddings: fields.tie_word_embeddings,
    bosTokenId: idsInVocabulary(fields.bos_token_id, fields.vocab_size)[0] ?? null,
    eosTokenIds: idsInVocabulary(fields.eos_token_id, fields.vocab_size),
    eps: fields.layer_norm_epsilon,
    scaleAttention: fields.scale_attn_weights,
    scaleAttentionByLayer: fields.scale_attn_by_inverse_layer_idx,
  };
}

/** A size, and the name that the config gives it; RC0205 where its two names have different values. */
function sizeOf(document: JsonDocument, fields: Fields, name: keyof typeof aliases): NamedSize {
  const [alias, otherwise] = aliases[name];
  const [own, other] = [fields[name], fields[alias]];
  if (other === undefined) return [name, own ?? otherwise];
  if (own !== undefined && own !== other) {
    refuse(
      document,
      'RC0205',
      [alias],
      `${alias} ${other} contradicts ${name} ${own}`,
      'both name the same size; remove the one that does not fit the weights',
    );
  }
  return [alias, other];
}
