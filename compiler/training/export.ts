/** @file The trained parameters as an ordinary Hugging Face OPT checkpoint, and back. */
import { join } from 'node:path';
import type { WeightSource } from '../../ir/index.ts';
import type { WeightDtype } from '../frontend/index.ts';
import { torchNames } from '../frontend/weights/dtypes.ts';
import { writeSafetensors } from '../frontend/weights/writer.ts';
import type { TensorToWrite } from '../frontend/weights/writer.ts';
import { END_OF_TEXT, specialTokens } from './bpe.ts';
import { parameterSpecs } from './model.ts';
import type { ModelShape } from './model.ts';
import { makeFolder, writeText } from './output.ts';
import type { TokenizerFiles } from './tokenizer-files.ts';

/** OPT's table of positions begins with two rows that no token uses. */
const POSITION_OFFSET = 2;

/** Element (row, column) of the checkpoint's tensor is `flat[offset + row · rowStride + column · columnStride]`. */
interface TensorView {
  readonly name: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly rowStride: number;
  readonly columnStride: number;
  /** Leading rows that are zero and not among the parameters. */
  readonly unusedRows: number;
}

/** Where each tensor of the checkpoint is in the flat parameters; linear weights are (out, in) there. */
function tensorViews(shape: ModelShape): readonly TensorView[] {
  const { layers, hidden, ffn, vocab, context } = shape;
  const offsets = new Map(parameterSpecs(shape).map(({ name, offset }) => [name, offset]));
  const views: TensorView[] = [];
  const at = (name: string): number => {
    const offset = offsets.get(name);
    if (offset === undefined) throw new Error(`internal: no parameter ${name}`);
    return offset;
  };
  const addRows = (name: string, from: string, dims: readonly number[], unusedRows = 0): void => {
    views.push({
      name: `model.decoder.${name}`,
      shape: dims,
      offset: at(from),
      rowStride: dims[1] ?? 1,
      columnStride: 1,
      unusedRows,
    });
  };
  const addLinear = (
    name: string,
    from: string,
    [out, inner]: readonly [number, number],
    fused = { width: out, column: 0 },
  ): void => {
    const base = { name: `model.decoder.${name}`, unusedRows: 0 };
    const weight = {
      shape: [out, inner],
      offset: at(`${from}.weight`) + fused.column,
      rowStride: 1,
      columnStride: fused.width,
    };
    views.push({ ...base, ...weight, name: `${base.name}.weight` });
    views.push({
      ...base,
      name: `${base.name}.bias`,
      shape: [out],
      offset: at(`${from}.bias`) + fused.column,
      rowStride: 1,
      columnStride: 1,
    });
  };
  const addNorm = (name: string, from: string): void => {
    addRows(`${name}.weight`, `${from}.gain`, [hidden]);
    addRows(`${name}.bias`, `${from}.shift`, [hidden]);
  };
  addRows('embed_tokens.weight', 'tokens', [vocab, hidden]);
  addRows('embed_positions.weight', 'positions', [context + POSITION_OFFSET, hidden], POSITION_OFFSET);
  addNorm('final_layer_norm', 'norm');
  for (let layer = 0; layer < layers; layer++) {
    const prefix = `layers.${layer}`;
    addNorm(`${prefix}.self_attn_layer_norm`, `${layer}.norm1`);
    for (const [i, part] of ['q', 'k', 'v'].entries()) {
      addLinear(`${prefix}.self_attn.${part}_proj`, `${layer}.qkv`, [hidden, hidden], {
        width: 3 * hidden,
        column: i * hidden,
      });
    }
    addLinear(`${prefix}.self_attn.out_proj`, `${layer}.out`, [hidden, hidden]);
    addNorm(`${prefix}.final_layer_norm`, `${layer}.norm2`);
    addLinear(`${prefix}.fc1`, `${layer}.fc1`, [ffn, hidden]);
    addLinear(`${prefix}.fc2`, `${layer}.fc2`, [hidden, ffn]);
  }
  return views;
}

function eachElement(view: TensorView, visit: (stored: number, flat: number) => void): void {
  const [rows = 0, columns = 1] = view.shape;
  for (let row = view.unusedRows; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const flat = view.offset + (row - view.unusedRows) * view.rowStride + column * view.columnStride;
      visit(row * columns + column, flat);
    }
  }
}

/** The tensors of a checkpoint; those that `dtypes` does not name as F16. */
export function checkpointTensors(
  shape: ModelShape,
  flat: Float32Array,
  dtypes: ReadonlyMap<string, WeightDtype> = new Map(),
): readonly TensorToWrite[] {
  return tensorViews(shape).map((view) => {
    const data = new Float32Array(view.shape.reduce((product, size) => product * size, 1));
    eachElement(view, (stored, index) => {
      data[stored] = flat[index] ?? 0;
    });
    return { name: view.name, dtype: dtypes.get(view.name) ?? 'F16', shape: view.shape, data };
  });
}

/** The flat parameters out of a checkpoint's weights, which must have been written by {@link writeCheckpoint}. */
export function readParameters(shape: ModelShape, weights: WeightSource): Float32Array {
  const specs = parameterSpecs(shape);
  const flat = new Float32Array(specs.reduce((sum, { size }) => sum + size, 0));
  for (const view of tensorViews(shape)) {
    const elements = view.shape.reduce((product, size) => product * size, 1);
    const data = weights.read(view.name, 0, elements);
    eachElement(view, (stored, index) => {
      flat[index] = data[stored] ?? 0;
    });
  }
  return flat;
}

/**
 * Writes the folder: weights, configuration and tokenizer; each file appears when it is complete.
 * @param weights flat parameters, which are written as F16, or tensors
 */
export function writeCheckpoint(
  dir: string,
  shape: ModelShape,
  weights: Float32Array | readonly TensorToWrite[],
  tokenizer: TokenizerFiles,
): void {
  const tensors = weights instanceof Float32Array ? checkpointTensors(shape, weights) : weights;
  makeFolder(dir);
  writeJson(dir, 'config.json', modelConfig(shape, torchName(tensors)));
  writeJson(dir, 'generation_config.json', {
    bos_token_id: END_OF_TEXT,
    eos_token_id: END_OF_TEXT,
    pad_token_id: padId(),
  });
  writeJson(dir, 'tokenizer.json', tokenizer.tokenizer);
  writeJson(dir, 'tokenizer_config.json', tokenizer.config);
  writeSafetensors(join(dir, 'model.safetensors'), tensors, { format: 'pt' });
}

function padId(): number {
  return specialTokens.indexOf('<pad>');
}

/** What transformers loads the weights as: the dtype of all of them. */
function torchName(tensors: readonly TensorToWrite[]): string {
  const [dtype, ...others] = new Set(tensors.map((tensor) => tensor.dtype));
  return torchNames[others.length > 0 ? 'F32' : (dtype ?? 'F16')];
}

function modelConfig(shape: ModelShape, dtype: string): object {
  return {
    architectures: ['OPTForCausalLM'],
    model_type: 'opt',
    _remove_final_layer_norm: false,
    activation_dropout: 0,
    activation_function: 'relu',
    attention_dropout: 0,
    bos_token_id: END_OF_TEXT,
    do_layer_norm_before: true,
    dropout: 0,
    enable_bias: true,
    eos_token_id: END_OF_TEXT,
    ffn_dim: shape.ffn,
    hidden_size: shape.hidden,
    init_std: 0.02,
    layer_norm_elementwise_affine: true,
    layerdrop: 0,
    max_position_embeddings: shape.context,
    num_attention_heads: shape.heads,
    num_hidden_layers: shape.layers,
    pad_token_id: padId(),
    tie_word_embeddings: true,
    torch_dtype: dtype,
    use_cache: true,
    vocab_size: shape.vocab,
    word_embed_proj_dim: shape.hidden,
  };
}

function writeJson(dir: string, name: string, value: object): void {
  writeText(join(dir, name), `${JSON.stringify(value, undefined, 2)}\n`);
}
