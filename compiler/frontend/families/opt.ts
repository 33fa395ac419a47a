/**
 * @file OPT (Zhang et al. 2022), as Hugging Face's `OPTForCausalLM` has it.
 *
 * The 350M form normalises the sum after each branch instead of the branch's input, has no last norm, and embeds tokens
 * in fewer dimensions than the blocks have, with a projection at each end.
 */
import type { Local, Region } from '../../../ir/index.ts';
import type { OptConfig } from '../config/types.ts';
import type { FamilyDefinition } from './family.ts';
import { IDS, ModelBuilder, POSITIONS, sequentialNetwork, X } from './model-builder.ts';
import type { BodyBuilder } from './model-builder.ts';
import { mapLayers, TensorTable } from './tensors.ts';
import type { Norm } from './tensors.ts';

/** Row of the position table that position 0 reads. */
const POSITION_OFFSET = 2;

type Tensors = ReturnType<typeof declare>;
type LayerTensors = ReturnType<typeof declareLayer>;

export const opt: FamilyDefinition<OptConfig> = {
  title: 'OPT',
  prefixes: ['model.decoder.', 'decoder.', ''],
  // Bookkeeping of Meta's own files.
  ignored: [/(^|\.)decoder\.version$/, /^version$/],
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
          bodies: tensors.layers.flatMap((layer) => [attention(model, config, layer), mlp(model, config, layer)]),
          exit: exit(model, config, tensors),
        });
      },
    };
  },
};

function declare(table: TensorTable, config: OptConfig) {
  const { hiddenSize: width, wordEmbedProjDim: narrow, vocab } = config;
  const projected = narrow !== width;
  const tokens = table.embedding('embed_tokens', vocab, narrow);
  return {
    tokens,
    positions: table.embedding('embed_positions', config.maxPositions + POSITION_OFFSET, width),
    projectIn: projected ? table.dense('project_in', { inputs: narrow, outputs: width, bias: false }) : undefined,
    layers: mapLayers(config.layers, (layer) => declareLayer(table, config, layer)),
    finalNorm: hasFinalNorm(config) ? declareNorm(table, config, 'final_layer_norm') : undefined,
    projectOut: projected ? table.dense('project_out', { inputs: width, outputs: narrow, bias: false }) : undefined,
    head: table.languageHead(tokens, config.tieWordEmbeddings),
  };
}

function declareLayer(table: TensorTable, config: OptConfig, layer: number) {
  const { hiddenSize: width, ffn, enableBias: bias } = config;
  const square = { inputs: width, outputs: width, bias };
  const at = `layers.${layer}`;
  return {
    attentionNorm: declareNorm(table, config, `${at}.self_attn_layer_norm`),
    q: table.dense(`${at}.self_attn.q_proj`, square),
    k: table.dense(`${at}.self_attn.k_proj`, square),
    v: table.dense(`${at}.self_attn.v_proj`, square),
    out: table.dense(`${at}.self_attn.out_proj`, square),
    mlpNorm: declareNorm(table, config, `${at}.final_layer_norm`),
    fc1: table.dense(`${at}.fc1`, { inputs: width, outputs: ffn, bias }),
    fc2: table.dense(`${at}.fc2`, { inputs: ffn, outputs: width, bias }),
  };
}

/** Undefined where norms have no tensors. */
function declareNorm(table: TensorTable, config: OptConfig, ref: string): Norm | undefined {
  return config.layerNormElementwiseAffine ? table.layerNorm(ref, config.hiddenSize) : undefined;
}

function hasFinalNorm(config: OptConfig): boolean {
  return config.preNorm && !config.removeFinalLayerNorm;
}

function entry(model: ModelBuilder, tensors: Tensors, context: number): Region {
  const body = model.region([IDS, POSITIONS]);
  const embedded = body.op('embed', [IDS.name, model.weight(tensors.tokens)], { attrs: { offset: 0 } });
  const tokens = tensors.projectIn === undefined ? embedded : body.linear(embedded, model.dense(tensors.projectIn));
  const table = model.rows(tensors.positions, context + POSITION_OFFSET);
  const positions = body.op('embed', [POSITIONS.name, table], { attrs: { offset: POSITION_OFFSET } });
  return body.finish(body.op('add', [tokens, positions]));
}

function attention(model: ModelBuilder, config: OptConfig, layer: LayerTensors): Region {
  const { heads, hiddenSize: width } = config;
  return branch(model, config, layer.attentionNorm, (body, x) => {
    const q = body.linear(x, model.dense(layer.q));
    const k = body.linear(x, model.dense(layer.k));
    const v = body.linear(x, model.dense(layer.v));
    const scale = 1 / Math.sqrt(width / heads);
    const mixed = body.op('attention', [q, k, v], { attrs: { heads, kv_heads: heads, scale, causal: true } });
    return body.linear(mixed, model.dense(layer.out));
  });
}

function mlp(model: ModelBuilder, config: OptConfig, layer: LayerTensors): Region {
  return branch(model, config, layer.mlpNorm, (body, x) => {
    const hidden = body.linear(x, model.dense(layer.fc1));
    return body.linear(body.op(config.activation, [hidden]), model.dense(layer.fc2));
  });
}

/** `x + f(norm(x))`, or `norm(x + f(x))`. */
function branch(
  model: ModelBuilder,
  config: OptConfig,
  norm: Norm | undefined,
  f: (body: BodyBuilder, x: Local) => Local,
): Region {
  const { eps, hiddenSize: width } = config;
  const body = model.body(width, { positions: true });
  if (config.preNorm) {
    return body.finish(body.op('residual', [X, f(body, body.layerNorm(X, norm, { eps, width }))]));
  }
  return body.finish(body.layerNorm(body.op('residual', [X, f(body, X)]), norm, { eps, width }));
}

function exit(model: ModelBuilder, config: OptConfig, tensors: Tensors): Region {
  const { eps, hiddenSize: width } = config;
  const body = model.body(width, { positions: false });
  const normed = hasFinalNorm(config) ? body.layerNorm(X, tensors.finalNorm, { eps, width }) : X;
  const narrowed = tensors.projectOut === undefined ? normed : body.linear(normed, model.dense(tensors.projectOut));
  return body.finish(body.linear(narrowed, { weight: model.weight(tensors.head), bias: undefined }));
}
