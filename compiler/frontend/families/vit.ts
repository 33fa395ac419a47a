/** @file Vision Transformer (Dosovitskiy et al. 2020), as Hugging Face's `ViTForImageClassification` has it. */
import type { Param, Region } from '../../../ir/index.ts';
import type { VitConfig } from '../config/types.ts';
import type { FamilyDefinition } from './family.ts';
import { ModelBuilder, sequentialNetwork, X } from './model-builder.ts';
import { mapLayers, TensorTable, weightStd } from './tensors.ts';

type Tensors = ReturnType<typeof declare>;
type LayerTensors = Tensors['layers'][number];

export const vit: FamilyDefinition<VitConfig> = {
  title: 'ViT for image classification',
  prefixes: ['vit.', ''],
  // What other heads of the base model use.
  ignored: [/^(vit\.)?pooler\.dense\.(weight|bias)$/, /^(vit\.)?embeddings\.mask_token$/],
  positions: (config) => ({ count: tokenCount(config), kind: 'fixed' }),
  describe: (config, prefix) => {
    const table = new TensorTable(prefix);
    const tensors = declare(table, config);
    return {
      tensors: table.list(),
      copies: table.copies(),
      build: ({ name, context }) => {
        const model = new ModelBuilder();
        return sequentialNetwork(model, {
          name,
          task: 'image-classification',
          context,
          entry: entry(model, config, tensors),
          bodies: tensors.layers.flatMap((layer) => [attention(model, config, layer), mlp(model, config, layer)]),
          exit: exit(model, config, tensors),
        });
      },
    };
  },
};

/** The class token and one for each patch. */
function tokenCount(config: VitConfig): number {
  return 1 + (config.imageSize / config.patchSize) ** 2;
}

function declare(table: TensorTable, config: VitConfig) {
  const { hiddenSize: width, channels, patchSize } = config;
  const patch = 'embeddings.patch_embeddings.projection';
  return {
    cls: table.tensor('embeddings.cls_token', [1, 1, width], { std: weightStd(width) }),
    positions: table.tensor('embeddings.position_embeddings', [1, tokenCount(config), width], {
      std: weightStd(width),
    }),
    patchWeight: table.tensor(`${patch}.weight`, [width, channels, patchSize, patchSize], {
      std: weightStd(channels * patchSize ** 2),
    }),
    patchBias: table.tensor(`${patch}.bias`, [width], { std: 0.02 }),
    layers: mapLayers(config.layers, (layer) => declareLayer(table, config, `encoder.layer.${layer}`)),
    finalNorm: table.layerNorm('layernorm', width),
    head: table.outside('classifier', { inputs: width, outputs: config.labels, bias: true }),
  };
}

function declareLayer(table: TensorTable, config: VitConfig, at: string) {
  const { hiddenSize: width, ffn, qkvBias } = config;
  const square = { inputs: width, outputs: width };
  return {
    attentionNorm: table.layerNorm(`${at}.layernorm_before`, width),
    q: table.dense(`${at}.attention.attention.query`, { ...square, bias: qkvBias }),
    k: table.dense(`${at}.attention.attention.key`, { ...square, bias: qkvBias }),
    v: table.dense(`${at}.attention.attention.value`, { ...square, bias: qkvBias }),
    out: table.dense(`${at}.attention.output.dense`, { ...square, bias: true }),
    mlpNorm: table.layerNorm(`${at}.layernorm_after`, width),
    up: table.dense(`${at}.intermediate.dense`, { inputs: width, outputs: ffn, bias: true }),
    down: table.dense(`${at}.output.dense`, { inputs: ffn, outputs: width, bias: true }),
  };
}

function entry(model: ModelBuilder, config: VitConfig, tensors: Tensors): Region {
  const { hiddenSize: width, channels, imageSize, patchSize } = config;
  const pixels: Param = { name: '%pixels', type: { dtype: 'f32', shape: [channels, imageSize, imageSize] } };
  const reshape = (ref: string, spec: Tensors['cls'], shape: readonly number[]) =>
    model.consts.add(ref, 'reshape', [model.weight(spec)], { attrs: { shape } });
  const weight = reshape('patches.weight', tensors.patchWeight, [width, channels * patchSize ** 2]);
  const cls = reshape('cls', tensors.cls, [width]);
  const positions = reshape('positions', tensors.positions, [tokenCount(config), width]);

  const body = model.region([pixels]);
  const patches = body.op('patchify', [pixels.name], { attrs: { size: patchSize } });
  const embedded = body.linear(patches, { weight, bias: model.weight(tensors.patchBias) });
  const tokens = body.op('prepend', [embedded, cls]);
  return body.finish(body.op('add', [tokens, positions]));
}

function attention(model: ModelBuilder, config: VitConfig, tensors: LayerTensors): Region {
  const { eps, heads, hiddenSize: width } = config;
  const body = model.body(width, { positions: true });
  const normed = body.layerNorm(X, tensors.attentionNorm, { eps, width });
  const q = body.linear(normed, model.dense(tensors.q));
  const k = body.linear(normed, model.dense(tensors.k));
  const v = body.linear(normed, model.dense(tensors.v));
  const attrs = { heads, kv_heads: heads, scale: 1 / Math.sqrt(width / heads), causal: false };
  const mixed = body.op('attention', [q, k, v], { attrs });
  return body.finish(body.op('residual', [X, body.linear(mixed, model.dense(tensors.out))]));
}

function mlp(model: ModelBuilder, config: VitConfig, tensors: LayerTensors): Region {
  const { eps, hiddenSize: width } = config;
  const body = model.body(width, { positions: true });
  const normed = body.layerNorm(X, tensors.mlpNorm, { eps, width });
  const hidden = body.op(config.activation, [body.linear(normed, model.dense(tensors.up))]);
  return body.finish(body.op('residual', [X, body.linear(hidden, model.dense(tensors.down))]));
}

function exit(model: ModelBuilder, config: VitConfig, tensors: Tensors): Region {
  const { eps, hiddenSize: width } = config;
  const body = model.body(width, { positions: false });
  const cls = body.op('select', [X], { attrs: { row: 0 } });
  return body.finish(body.linear(body.layerNorm(cls, tensors.finalNorm, { eps, width }), model.dense(tensors.head)));
}
