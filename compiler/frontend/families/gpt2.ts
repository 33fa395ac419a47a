/**
 * @file GPT-2 (Radford et al. 2019), as Hugging Face's `GPT2LMHeadModel` has it.
 *
 * Its linear maps are stored [in, out], those of q, k and v as one.
 */
import type { Region } from '../../../ir/index.ts';
import type { Gpt2Config } from '../config/types.ts';
import type { FamilyDefinition } from './family.ts';
import { IDS, ModelBuilder, POSITIONS, sequentialNetwork, X } from './model-builder.ts';
import type { DenseRefs } from './model-builder.ts';
import { mapLayers, TensorTable } from './tensors.ts';
import type { Dense } from './tensors.ts';

type Tensors = ReturnType<typeof declare>;
type LayerTensors = Tensors['layers'][number];

/** Causal masks, which old files hold among the weights. */
const MASKS = /(^|\.)h\.\d+\.attn\.(bias|masked_bias)$/;

export const gpt2: FamilyDefinition<Gpt2Config> = {
  title: 'GPT-2',
  prefixes: ['transformer.', ''],
  ignored: [MASKS],
  positions: (config) => ({ count: config.maxPositions, kind: 'table' }),
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
          task: 'causal-lm',
          context,
          entry: entry(model, tensors, context),
          bodies: tensors.layers.flatMap((layer, index) => [
            attention(model, config, layer, index),
            mlp(model, config, layer),
          ]),
          exit: exit(model, config, tensors),
        });
      },
    };
  },
};

function declare(table: TensorTable, config: Gpt2Config) {
  const { hiddenSize: width, ffn, vocab } = config;
  const tokens = table.embedding('wte', vocab, width);
  return {
    tokens,
    positions: table.embedding('wpe', config.maxPositions, width),
    layers: mapLayers(config.layers, (layer) => ({
      attentionNorm: table.layerNorm(`h.${layer}.ln_1`, width),
      qkv: table.conv1d(`h.${layer}.attn.c_attn`, width, 3 * width),
      out: table.conv1d(`h.${layer}.attn.c_proj`, width, width),
      mlpNorm: table.layerNorm(`h.${layer}.ln_2`, width),
      up: table.conv1d(`h.${layer}.mlp.c_fc`, width, ffn),
      down: table.conv1d(`h.${layer}.mlp.c_proj`, ffn, width),
    })),
    finalNorm: table.layerNorm('ln_f', width),
    head: table.languageHead(tokens, config.tieWordEmbeddings),
  };
}

function entry(model: ModelBuilder, tensors: Tensors, context: number): Region {
  const body = model.region([IDS, POSITIONS]);
  const tokens = body.op('embed', [IDS.name, model.weight(tensors.tokens)], { attrs: { offset: 0 } });
  const table = model.rows(tensors.positions, context);
  const positions = body.op('embed', [POSITIONS.name, table], { attrs: { offset: 0 } });
  return body.finish(body.op('add', [tokens, positions]));
}

function attention(model: ModelBuilder, config: Gpt2Config, tensors: LayerTensors, layer: number): Region {
  const { eps, heads, hiddenSize: width } = config;
  const body = model.body(width, { positions: true });
  const normed = body.layerNorm(X, tensors.attentionNorm, { eps, width });
  const qkv = conv1d(model, tensors.qkv);
  const q = body.linear(normed, part(model, qkv, { name: 'q', from: 0, to: width }));
  const k = body.linear(normed, part(model, qkv, { name: 'k', from: width, to: 2 * width }));
  const v = body.linear(normed, part(model, qkv, { name: 'v', from: 2 * width, to: 3 * width }));
  const scale = attentionScale(config, layer);
  const mixed = body.op('attention', [q, k, v], { attrs: { heads, kv_heads: heads, scale, causal: true } });
  return body.finish(body.op('residual', [X, body.linear(mixed, conv1d(model, tensors.out))]));
}

function attentionScale(config: Gpt2Config, layer: number): number {
  const scale = config.scaleAttention ? 1 / Math.sqrt(config.hiddenSize / config.heads) : 1;
  return config.scaleAttentionByLayer ? scale / (layer + 1) : scale;
}

function mlp(model: ModelBuilder, config: Gpt2Config, tensors: LayerTensors): Region {
  const { eps, hiddenSize: width } = config;
  const body = model.body(width, { positions: true });
  const normed = body.layerNorm(X, tensors.mlpNorm, { eps, width });
  const hidden = body.op(config.activation, [body.linear(normed, conv1d(model, tensors.up))]);
  return body.finish(body.op('residual', [X, body.linear(hidden, conv1d(model, tensors.down))]));
}

function exit(model: ModelBuilder, config: Gpt2Config, tensors: Tensors): Region {
  const { eps, hiddenSize: width } = config;
  const body = model.body(width, { positions: false });
  const normed = body.layerNorm(X, tensors.finalNorm, { eps, width });
  return body.finish(body.linear(normed, { weight: model.weight(tensors.head), bias: undefined }));
}

/** The stored weight turned round to [out, in]. */
function conv1d(model: ModelBuilder, dense: Dense): DenseRefs {
  const stored = model.dense(dense);
  const ref = `${dense.weight.ref}.t`;
  return { ...stored, weight: model.once(ref, () => model.consts.add(ref, 'transpose', [stored.weight])) };
}

/** The outputs [from, to) of a linear map. */
function part(
  model: ModelBuilder,
  dense: DenseRefs,
  { name, from, to }: { readonly name: string; readonly from: number; readonly to: number },
): DenseRefs {
  const cut = (whole: DenseRefs['weight']): DenseRefs['weight'] =>
    model.consts.add(`${whole.slice(1)}.${name}`, 'slice', [whole], { attrs: { axis: 0, from, to } });
  return { weight: cut(dense.weight), bias: dense.bias === undefined ? undefined : cut(dense.bias) };
}
