/**
 * @file The families in TensorFlow.js, from what Hugging Face's implementations do with the tensors of a checkpoint. Read
 * from `config.json` itself; shares nothing with the compiler's front end.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { WeightsByName } from './checkpoints.ts';
import { activations, angles, dense, embed, layerNorm, rmsNorm, rotate } from './formulas.ts';
import type { AttentionBlock, MlpBlock, Transformer } from './walk.ts';

type Blocks = readonly (AttentionBlock | MlpBlock)[];
type Norm = (x: tf.Tensor) => tf.Tensor;

/** x · weightᵀ + bias, with the bias where there is one. */
function project(x: tf.Tensor, weights: WeightsByName, name: string): tf.Tensor {
  return dense(x, weights.get(`${name}.weight`), weights.find(`${name}.bias`));
}

function norm(weights: WeightsByName, name: string, eps: number): Norm {
  return (x) => layerNorm(x, weights.get(`${name}.weight`), weights.get(`${name}.bias`), eps);
}

function eachLayer(count: number, make: (layer: number) => Blocks): Blocks {
  return Array.from({ length: count }, (_, layer) => make(layer)).flat();
}

export interface OptFields {
  readonly model_type: 'opt';
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly do_layer_norm_before: boolean;
}

export function opt(fields: OptFields, w: WeightsByName, ids: tf.Tensor): Transformer {
  const { hidden_size, num_attention_heads: heads, do_layer_norm_before: before } = fields;
  const base = 'model.decoder';
  const table = w.get(`${base}.embed_tokens.weight`);
  const tokens = embed(ids, table);
  const projectIn = w.find(`${base}.project_in.weight`);
  const projectOut = w.find(`${base}.project_out.weight`);
  const places = tf.slice(w.get(`${base}.embed_positions.weight`), [2, 0], [ids.size, hidden_size]);
  const blocks = eachLayer(fields.num_hidden_layers, (layer) => {
    const at = `${base}.layers.${layer}`;
    const pre = (name: string): Norm => (before ? norm(w, `${at}.${name}`, 1e-5) : (x) => x);
    const post = (name: string): Norm => (before ? (x) => x : norm(w, `${at}.${name}`, 1e-5));
    const part = (x: tf.Tensor, name: string): tf.Tensor => project(x, w, `${at}.self_attn.${name}_proj`);
    return [
      {
        role: 'attention',
        shape: { heads, kvHeads: heads, scale: 1 },
        qkv: (x) => {
          const y = pre('self_attn_layer_norm')(x);
          return [tf.mul(part(y, 'q'), (hidden_size / heads) ** -0.5), part(y, 'k'), part(y, 'v')];
        },
        finish: (x, mixed) => post('self_attn_layer_norm')(tf.add(x, part(mixed, 'out'))),
      },
      {
        role: 'mlp',
        run: (x) => {
          const hidden = activations.relu(project(pre('final_layer_norm')(x), w, `${at}.fc1`));
          return post('final_layer_norm')(tf.add(x, project(hidden, w, `${at}.fc2`)));
        },
      },
    ];
  });
  return {
    causal: true,
    entry: tf.add(projectIn === undefined ? tokens : dense(tokens, projectIn), places),
    blocks,
    exit: (x) => {
      const last = before ? norm(w, `${base}.final_layer_norm`, 1e-5)(x) : x;
      const narrow = projectOut === undefined ? last : dense(last, projectOut);
      return dense(narrow, w.find('lm_head.weight') ?? table);
    },
  };
}

export interface Gpt2Fields {
  readonly model_type: 'gpt2';
  readonly n_embd: number;
  readonly n_layer: number;
  readonly n_head: number;
  readonly layer_norm_epsilon: number;
  readonly scale_attn_by_inverse_layer_idx?: boolean;
}

export function gpt2(fields: Gpt2Fields, w: WeightsByName, ids: tf.Tensor): Transformer {
  const { n_embd: width, n_head: heads, layer_norm_epsilon: eps } = fields;
  // Conv1D: the weight is (in, out).
  const conv = (x: tf.Tensor, name: string): tf.Tensor =>
    tf.add(tf.matMul(x, w.get(`${name}.weight`)), w.get(`${name}.bias`));
  const table = w.get('transformer.wte.weight');
  const places = tf.slice(w.get('transformer.wpe.weight'), [0, 0], [ids.size, width]);
  const blocks = eachLayer(fields.n_layer, (layer) => {
    const at = `transformer.h.${layer}`;
    const divisor = fields.scale_attn_by_inverse_layer_idx === true ? layer + 1 : 1;
    return [
      {
        role: 'attention',
        shape: { heads, kvHeads: heads, scale: 1 / Math.sqrt(width / heads) / divisor },
        qkv: (x) =>
          tf.split(conv(norm(w, `${at}.ln_1`, eps)(x), `${at}.attn.c_attn`), 3, 1) as [tf.Tensor, tf.Tensor, tf.Tensor],
        finish: (x, mixed) => tf.add(x, conv(mixed, `${at}.attn.c_proj`)),
      },
      {
        role: 'mlp',
        run: (x) => {
          const hidden = activations.gelu_tanh(conv(norm(w, `${at}.ln_2`, eps)(x), `${at}.mlp.c_fc`));
          return tf.add(x, conv(hidden, `${at}.mlp.c_proj`));
        },
      },
    ];
  });
  return {
    causal: true,
    entry: tf.add(embed(ids, table), places),
    blocks,
    exit: (x) => dense(norm(w, 'transformer.ln_f', eps)(x), w.find('lm_head.weight') ?? table),
  };
}

export interface LlamaFields {
  readonly model_type: 'llama';
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
  readonly head_dim: number;
  readonly rms_norm_eps: number;
  readonly rope_theta: number;
  readonly rope_scaling?: {
    readonly rope_type: 'llama3';
    readonly factor: number;
    readonly low_freq_factor: number;
    readonly high_freq_factor: number;
    readonly original_max_position_embeddings: number;
  };
}

export function llama(fields: LlamaFields, w: WeightsByName, ids: tf.Tensor): Transformer {
  const { num_attention_heads: heads, num_key_value_heads: kvHeads, head_dim: dim, rms_norm_eps: eps } = fields;
  const rms =
    (name: string): Norm =>
    (x) =>
      rmsNorm(x, w.get(`${name}.weight`), eps);
  const turns = angles(ids.size, tf.tensor1d(frequencies(fields)));
  const turn = (x: tf.Tensor): tf.Tensor => rotate(x, tf.cos(turns), tf.sin(turns));
  const table = w.get('model.embed_tokens.weight');
  const blocks = eachLayer(fields.num_hidden_layers, (layer) => {
    const at = `model.layers.${layer}`;
    const part = (x: tf.Tensor, name: string): tf.Tensor => project(x, w, `${at}.${name}_proj`);
    return [
      {
        role: 'attention',
        shape: { heads, kvHeads, scale: dim ** -0.5 },
        qkv: (x) => {
          const y = rms(`${at}.input_layernorm`)(x);
          return [turn(part(y, 'self_attn.q')), turn(part(y, 'self_attn.k')), part(y, 'self_attn.v')];
        },
        finish: (x, mixed) => tf.add(x, part(mixed, 'self_attn.o')),
      },
      {
        role: 'mlp',
        run: (x) => {
          const y = rms(`${at}.post_attention_layernorm`)(x);
          return tf.add(x, part(tf.mul(activations.silu(part(y, 'mlp.gate')), part(y, 'mlp.up')), 'mlp.down'));
        },
      },
    ];
  });
  return {
    causal: true,
    entry: embed(ids, table),
    blocks,
    exit: (x) => dense(rms('model.norm')(x), w.find('lm_head.weight') ?? table),
  };
}

/** Radians per position; long waves are stretched as in Llama 3.1, by their lengths. */
function frequencies({ head_dim: dim, rope_theta, rope_scaling: scaling }: LlamaFields): number[] {
  const plain = Array.from({ length: dim / 2 }, (_, i) => 1 / rope_theta ** ((2 * i) / dim));
  if (scaling === undefined) return plain;
  const { factor, low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings: span } = scaling;
  return plain.map((frequency) => {
    const wave = (2 * Math.PI) / frequency;
    if (wave < span / high) return frequency;
    if (wave > span / low) return frequency / factor;
    const smooth = (span / wave - low) / (high - low);
    return ((1 - smooth) * frequency) / factor + smooth * frequency;
  });
}

export interface VitFields {
  readonly model_type: 'vit';
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly patch_size: number;
  readonly layer_norm_eps: number;
}

/** @param pixels - (channels, height, width) */
export function vit(fields: VitFields, w: WeightsByName, pixels: tf.Tensor): Transformer {
  const { hidden_size: width, num_attention_heads: heads, patch_size: size, layer_norm_eps: eps } = fields;
  // The patches as a convolution, which is how they are stored: (out, channels, y, x).
  const kernel = tf.transpose(w.get('vit.embeddings.patch_embeddings.projection.weight'), [2, 3, 1, 0]);
  const image = tf.transpose(pixels, [1, 2, 0]);
  const map = tf.conv2d(image as tf.Tensor3D, kernel as tf.Tensor4D, size, 'valid');
  const patches = tf.add(tf.reshape(map, [-1, width]), w.get('vit.embeddings.patch_embeddings.projection.bias'));
  const cls = tf.reshape(w.get('vit.embeddings.cls_token'), [1, width]);
  const places = tf.reshape(w.get('vit.embeddings.position_embeddings'), [-1, width]);
  const blocks = eachLayer(fields.num_hidden_layers, (layer) => {
    const at = `vit.encoder.layer.${layer}`;
    const part = (x: tf.Tensor, name: string): tf.Tensor => project(x, w, `${at}.attention.attention.${name}`);
    return [
      {
        role: 'attention',
        shape: { heads, kvHeads: heads, scale: 1 / Math.sqrt(width / heads) },
        qkv: (x) => {
          const y = norm(w, `${at}.layernorm_before`, eps)(x);
          return [part(y, 'query'), part(y, 'key'), part(y, 'value')];
        },
        finish: (x, mixed) => tf.add(x, project(mixed, w, `${at}.attention.output.dense`)),
      },
      {
        role: 'mlp',
        run: (x) => {
          const y = norm(w, `${at}.layernorm_after`, eps)(x);
          const hidden = activations.gelu(project(y, w, `${at}.intermediate.dense`));
          return tf.add(x, project(hidden, w, `${at}.output.dense`));
        },
      },
    ];
  });
  return {
    causal: false,
    entry: tf.add(tf.concat([cls, patches], 0), places),
    blocks,
    exit: (x) => project(norm(w, 'vit.layernorm', eps)(tf.slice(x, [0, 0], [1, width])), w, 'classifier'),
  };
}
