/** @file `config.json` of ViT for image classification (transformers `ViTConfig`). */
import * as z from 'zod';
import { isJsonObject } from '../json.ts';
import type { JsonDocument } from '../json.ts';
import {
  epsilon,
  flag,
  layerCount,
  mustDivide,
  readActivation,
  readFields,
  refuse,
  show,
  size,
  valueAt,
  word,
} from './fields.ts';
import type { VitConfig } from './types.ts';

const MAX_IMAGE = 16_384;
const MAX_PATCHES = 1 << 20;
/** Hugging Face's count when neither `num_labels` nor `id2label` is given. */
const DEFAULT_LABELS = 2;

/** A side, or height and width, which must then be equal. */
const side = z
  .union([size(MAX_IMAGE), z.tuple([size(MAX_IMAGE), size(MAX_IMAGE)])], {
    error: `must be an integer from 1 to ${MAX_IMAGE}`,
  })
  .transform((value) => (typeof value === 'number' ? [value, value] : value))
  .refine(([height, width]) => height === width, { error: 'must be square' })
  .transform(([height]) => height ?? 1);

const schema = z.object({
  hidden_size: size().default(768),
  num_hidden_layers: layerCount().default(12),
  num_attention_heads: size().default(12),
  intermediate_size: size().default(3072),
  hidden_act: word().default('gelu'),
  layer_norm_eps: epsilon().default(1e-12),
  image_size: side.default(224),
  patch_size: side.default(16),
  num_channels: size(1024).default(3),
  qkv_bias: flag().default(true),
  num_labels: size().optional(),
});

/** @throws RadialError RC0204 – RC0206 */
export function readVitConfig(document: JsonDocument): VitConfig {
  const fields = readFields(document, schema);
  mustDivide(document, ['num_attention_heads', fields.num_attention_heads], ['hidden_size', fields.hidden_size]);
  mustDivide(document, ['patch_size', fields.patch_size], ['image_size', fields.image_size]);
  const patches = (fields.image_size / fields.patch_size) ** 2;
  if (patches > MAX_PATCHES) {
    refuse(
      document,
      'RC0205',
      ['patch_size'],
      `an image would have ${patches} patches, more than ${MAX_PATCHES}`,
      'correct patch_size or image_size; real models have a few hundred patches',
    );
  }
  const labelNames = readLabelNames(document);
  return {
    family: 'vit',
    hiddenSize: fields.hidden_size,
    layers: fields.num_hidden_layers,
    heads: fields.num_attention_heads,
    ffn: fields.intermediate_size,
    activation: readActivation(document, 'hidden_act', fields.hidden_act),
    imageSize: fields.image_size,
    patchSize: fields.patch_size,
    channels: fields.num_channels,
    eps: fields.layer_norm_eps,
    qkvBias: fields.qkv_bias,
    labels: labelNames?.length ?? fields.num_labels ?? DEFAULT_LABELS,
    labelNames: labelNames ?? [],
  };
}

/** The names of classes 0, 1, … in `id2label`, or undefined where there is none. */
function readLabelNames(document: JsonDocument): readonly string[] | undefined {
  const map = valueAt(document.value, ['id2label']);
  if (map === undefined || map === null) return undefined;
  const count = isJsonObject(map) ? Object.keys(map).length : 0;
  if (!isJsonObject(map) || count === 0) {
    return refuse(
      document,
      'RC0204',
      ['id2label'],
      `id2label must map class numbers to names, found ${show(map)}`,
      'write it as {"0": "cat", "1": "dog"}, or leave it out and give num_labels',
    );
  }
  return Array.from({ length: count }, (_, id) => {
    const name = map[String(id)];
    if (typeof name === 'string') return name;
    return refuse(
      document,
      'RC0204',
      ['id2label'],
      `id2label has ${count} classes, but no name for class ${id}`,
      `name each class from 0 to ${count - 1}, or leave id2label out and give num_labels`,
    );
  });
}
