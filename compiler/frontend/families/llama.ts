/** @file Llama (Touvron et al. 2023; Llama 3: Dubey et al. 2024), as Hugging Face's `LlamaForCausalLM` has it. */
import type { Global, Region } from '../../../ir/index.ts';
import type { LlamaConfig } from '../config/types.ts';
import type { FamilyDefinition } from './family.ts';
import { IDS, ModelBuilder, POSITIONS, sequentialNetwork, X } from './model-builder.ts';
import { ropeFrequencies } from './rope.ts';
import { mapLayers, TensorTable } from './tensors.ts';

type Tensors = ReturnType<typeof declare>;
type LayerTensors = Tensors['layers'][number];

/** The frequencies, which old files hold among the weights; they follow from the config. */
const FREQUENCIES = /(^|\.)rotary_emb\.inv_freq$/;

export const llama: FamilyDefinition<LlamaConfig> = {
  title: 'Llama',
  prefixes: ['model.', ''],
  ignored: [FREQUENCIES],
  positions: (config) => ({ count: config.maxPositions, kind: 'rotary' }),
  describe: (config, prefix) => {
    const table = new TensorTable(prefix);
    const tensors = declare(table, config);
    return {
      tensors: table.list(),
      copies: table.copies(),
      build: ({ name, context }) => {
        const model = new ModelBuilder();
        const rope = ropeTables(model, config, context);
        return sequentialNetwork(model, {
          name,
          task: 'causal-lm',
          context,
          entry: entry(model, tensors),
          bodies: tensors.layers.flatMap((layer) => [attention(model, config, layer, rope), mlp(model, config, layer)]),
          exit: exit(model, config, tensors),
        });
      },
    };
  },
};

function declare(table: TensorTable, config: LlamaConfig) {
  const { hiddenSize: width, vocab } = config;
  const tokens = table.embedding('embed_tokens', vocab, width);
  return {
    tokens,
    layers: mapLayers(config.layers, (layer) => declareLayer(table, config, `layers.${layer}`)),
    finalNorm: table.rmsNorm('norm', width),
    head: table.languageHead(tokens, config.tieWordEmbeddings),
  };
}

function declareLayer(table: TensorTable, config: LlamaConfig, at: string) {
  const { hiddenSize: width, ffn, attentionBias, mlpBias } = config;
  const queries = config.heads * config.headDim;
  const keys = config.kvHeads * config.headDim;
  return {
    attentionNorm: table.rmsNorm(`${at}.input_layernorm`, width),
    q: table.dense(`${at}.self_attn.q_proj`, { inputs: width, outputs: queries, bias: attentionBias }),
    k: table.dense(`${at}.self_attn.k_proj`, { inputs: width, outputs: keys, bias: attentionBias }),
    v: table.dense(`${at}.self_attn.v_proj`, { inputs: width, outputs: keys, bias: attentionBias }),
    out: table.dense(`${at}.self_attn.o_proj`, { inputs: queries, outputs: width, bias: attentionBias }),
    mlpNorm: table.rmsNorm(`${at}.post_attention_layernorm`, width),
    gate: table.dense(`${at}.mlp.gate_proj`, { inputs: width, outputs: ffn, bias: mlpBias }),
    up: table.dense(`${at}.mlp.up_proj`, { inputs: width, outputs: ffn, bias: mlpBias }),
    down: table.dense(`${at}.mlp.down_proj`, { inputs: ffn, outputs: width, bias: mlpBias }),
  };
}

function ropeTables(
  model: ModelBuilder,
  config: LlamaConfig,
  context: number,
): { readonly cos: Global; readonly sin: Global } {
  const data = ropeFrequencies(config);
  const frequencies = model.consts.add('rope.frequencies', 'values', [], {
    attrs: { data },
    type: { dtype: 'f32', shape: [data.length] },
  });
  const table = (name: 'cos' | 'sin'): Global =>
    model.consts.add(`rope.${name}`, 'rope_table', [frequencies], { attrs: { length: context, function: name } });
  return { cos: table('cos'), sin: table('sin') };
}

function entry(model: ModelBuilder, tensors: Tensors): Region {
  const body = model.region([IDS, POSITIONS]);
  return body.finish(body.op('embed', [IDS.name, model.weight(tensors.tokens)], { attrs: { offset: 0 } }));
}

function attention(
  model: ModelBuilder,
  config: LlamaConfig,
  tensors: LayerTensors,
  rope: { readonly cos: Global; readonly sin: Global },
): Region {
  const { heads, kvHeads, headDim } = config;
  const body = model.body(config.hiddenSize, { positions: true });
  const normed = body.rmsNorm(X, tensors.attentionNorm, config.eps);
  const q = body.linear(normed, model.dense(tensors.q));
  const k = body.linear(normed, model.dense(tensors.k));
  const v = body.linear(normed, model.dense(tensors.v));
  const turn = { attrs: { head_dim: headDim } };
  const turnedQ = body.op('rope', [q, POSITIONS.name, rope.cos, rope.sin], turn);
  const turnedK = body.op('rope', [k, POSITIONS.name, rope.cos, rope.sin], turn);
  const attrs = { heads, kv_heads: kvHeads, scale: 1 / Math.sqrt(headDim), causal: true };
  const mixed = body.op('attention', [turnedQ, turnedK, v], { attrs });
  return body.finish(body.op('residual', [X, body.linear(mixed, model.dense(tensors.out))]));
}

function mlp(model: ModelBuilder, config: LlamaConfig, tensors: LayerTensors): Region {
  const body = model.body(config.hiddenSize, { positions: true });
  const normed = body.rmsNorm(X, tensors.mlpNorm, config.eps);
  const gate = body.op(config.activation, [body.linear(normed, model.dense(tensors.gate))]);
  const up = body.linear(normed, model.dense(tensors.up));
  const hidden = body.op('mul', [gate, up]);
  return body.finish(body.op('residual', [X, body.linear(hidden, model.dense(tensors.down))]));
}

function exit(model: ModelBuilder, config: LlamaConfig, tensors: Tensors): Region {
  const body = model.body(config.hiddenSize, { positions: false });
  const normed = body.rmsNorm(X, tensors.finalNorm, config.eps);
  return body.finish(body.linear(normed, { weight: model.weight(tensors.head), bias: undefined }));
}
