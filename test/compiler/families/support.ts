/** @file Weight sources for tests of the families: wrapped, invented, and made of shapes alone. */
import { normals } from '../../../ir/random.ts';
import type { WeightSource } from '../../../ir/weights.ts';
import { readConfig } from '../../../compiler/frontend/config/read-config.ts';
import type { ModelConfig } from '../../../compiler/frontend/config/types.ts';
import { checkpointTensors } from '../../../compiler/frontend/families/index.ts';
import { parseJson } from '../../../compiler/frontend/json.ts';
import type { JsonObject } from '../../../compiler/frontend/json.ts';

export interface InventedTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export function configOf(fields: JsonObject): ModelConfig {
  return readConfig(parseJson(new TextEncoder().encode(JSON.stringify(fields)), 'config.json'));
}

export function sourceOf(tensors: ReadonlyMap<string, InventedTensor>): WeightSource {
  return {
    names: () => [...tensors.keys()],
    shape: (name) => tensors.get(name)?.shape,
    read: (name, from, to) => {
      const tensor = tensors.get(name);
      if (tensor === undefined) throw new Error(`no tensor ${name}`);
      return tensor.data.slice(from, to);
    },
  };
}

/** Random tensors of all that the config needs; norms and biases are random, too, so that each of them counts. */
export function inventedTensors(config: ModelConfig): Map<string, InventedTensor> {
  return new Map(
    checkpointTensors(config).map(({ name, shape, mean, std }, seed) => {
      const count = shape.reduce((product, size) => product * size, 1);
      return [name, { shape, data: normals(count, seed, mean, Math.max(std, 0.2)) }];
    }),
  );
}

/** The same tensors under other names; a tensor whose new name is undefined is gone. */
export function renamed(source: WeightSource, rename: (name: string) => string | undefined): WeightSource {
  const stored = new Map(
    source.names().flatMap((name): [string, string][] => {
      const to = rename(name);
      return to === undefined ? [] : [[to, name]];
    }),
  );
  return {
    names: () => [...stored.keys()],
    shape: (name) => source.shape(stored.get(name) ?? ''),
    read: (name, from, to) => source.read(stored.get(name) ?? '', from, to),
  };
}

/** A source that has no numbers. */
export function shapesOnly(shapes: ReadonlyMap<string, readonly number[]>): WeightSource {
  return {
    names: () => [...shapes.keys()],
    shape: (name) => shapes.get(name),
    read: (name) => {
      throw new Error(`building a network must not read ${name}`);
    },
  };
}

export function shapesFor(config: ModelConfig): Map<string, readonly number[]> {
  return new Map(checkpointTensors(config).map(({ name, shape }) => [name, shape]));
}

export const tinyOpt = {
  model_type: 'opt',
  vocab_size: 31,
  hidden_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 3,
  ffn_dim: 20,
  max_position_embeddings: 10,
  word_embed_proj_dim: 12,
} as const;

export const tinyGpt2 = {
  model_type: 'gpt2',
  vocab_size: 31,
  n_embd: 12,
  n_layer: 2,
  n_head: 3,
  n_inner: 20,
  n_positions: 10,
  bos_token_id: 0,
  eos_token_id: 0,
} as const;

export const tinyLlama = {
  model_type: 'llama',
  vocab_size: 31,
  hidden_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 3,
  num_key_value_heads: 1,
  intermediate_size: 20,
  max_position_embeddings: 10,
} as const;

export const tinyVit = {
  model_type: 'vit',
  hidden_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 3,
  intermediate_size: 20,
  image_size: 8,
  patch_size: 4,
  num_channels: 3,
  num_labels: 5,
} as const;
