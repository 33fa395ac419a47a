/** @file The model: OPT with pre-norm, learned positions, ReLU and a tied head. Its parameters and its forward pass. */
import * as tf from '@tensorflow/tfjs-core';
import { causalAttention } from './attention.ts';
import type { Looks } from './attention.ts';
import type { Matrix, Vector } from './matmul.ts';
import { embed, fixedHead, fixedLinear, layerNorm, linear, relu, residual, tiedHead } from './ops.ts';
import { normals, seededRandom } from './random.ts';

export interface ModelShape {
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly ffn: number;
  readonly vocab: number;
  /** The most tokens of one sequence. */
  readonly context: number;
}

/** One parameter: its place in the flat array that holds all of them. Matrices are (in, out). */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly size: number;
  /** Standard deviation of the first values; 0 for shifts and for what writes into the residual stream. */
  readonly std: number;
  readonly gain: boolean;
}

/** Large enough that the sum of the residual blocks, which begin at zero, does not drown the tokens. */
const TOKEN_STD = 0.05;
const POSITION_STD = 0.025;
const MATRIX_STD = 0.06;

/** Lists parameters that lie one behind the other, and behind those of `before`. */
export function createSpecs(before: readonly ParameterSpec[] = []): {
  readonly specs: readonly ParameterSpec[];
  readonly add: (name: string, shape: readonly number[], std: number, gain?: boolean) => void;
} {
  const specs = [...before];
  return {
    specs,
    add: (name, shape, std, gain = false) => {
      const last = specs.at(-1);
      const size = shape.reduce((product, dim) => product * dim, 1);
      specs.push({ name, shape, offset: last === undefined ? 0 : last.offset + last.size, size, std, gain });
    },
  };
}

/** All parameters in their order. A layer's q, k and v projections are one matrix `qkv`. */
export function parameterSpecs(shape: ModelShape): readonly ParameterSpec[] {
  const { layers, hidden, ffn, vocab, context } = shape;
  const { specs, add } = createSpecs();
  const addNorm = (name: string): void => {
    add(`${name}.gain`, [hidden], 0, true);
    add(`${name}.shift`, [hidden], 0);
  };
  const addLinear = (name: string, from: number, to: number, std: number): void => {
    add(`${name}.weight`, [from, to], std);
    add(`${name}.bias`, [to], 0);
  };
  add('tokens', [vocab, hidden], TOKEN_STD);
  add('positions', [context, hidden], POSITION_STD);
  for (let layer = 0; layer < layers; layer++) {
    addNorm(`${layer}.norm1`);
    addLinear(`${layer}.qkv`, hidden, 3 * hidden, MATRIX_STD);
    addLinear(`${layer}.out`, hidden, hidden, 0);
    addNorm(`${layer}.norm2`);
    addLinear(`${layer}.fc1`, hidden, ffn, MATRIX_STD);
    addLinear(`${layer}.fc2`, ffn, hidden, 0);
  }
  addNorm('norm');
  return specs;
}

export function parameterCount(specs: readonly ParameterSpec[]): number {
  return specs.reduce((sum, { size }) => sum + size, 0);
}

/** First values of all parameters, in one flat array. */
export function initialParameters(specs: readonly ParameterSpec[], seed: number): Float32Array {
  const random = seededRandom(seed);
  const flat = new Float32Array(parameterCount(specs));
  for (const { offset, size, std, gain } of specs) {
    if (gain) flat.fill(1, offset, offset + size);
    else if (std > 0) flat.set(normals(random, size, std), offset);
  }
  return flat;
}

/** The parameters as tensors, by name. */
export type Parameters = ReadonlyMap<string, tf.Tensor>;

/** Copies the flat parameters into tensors. The caller disposes them. */
export function parameterTensors(specs: readonly ParameterSpec[], flat: Float32Array): Map<string, tf.Variable> {
  return new Map(
    specs.map(({ name, shape, offset, size }) => [
      name,
      tf.tidy(() => tf.variable(tf.tensor(flat.slice(offset, offset + size), [...shape]), true, undefined, 'float32')),
    ]),
  );
}

/** Says for a residual block (2 · layer attention, 2 · layer + 1 MLP) whether it is left out. */
export type DropsBlock = (block: number) => boolean;

/** A batch of ids. */
export interface ModelInput {
  /** batch · tokens of them, sequence by sequence. */
  readonly ids: Int32Array;
  readonly batch: number;
}

/** The parts of a model on a batch; hidden states are (batch · tokens, hidden). */
export interface ModelParts {
  readonly embedding: () => Matrix;
  /** q, k and v of a layer, side by side. */
  readonly qkv: (layer: number, x: Matrix) => Matrix;
  /** What attention makes of them. */
  readonly context: (qkv: Matrix, looks?: Looks) => Matrix;
  /** The last linear map of an attention block. */
  readonly out: (layer: number, context: Matrix) => Matrix;
  readonly mlp: (layer: number, x: Matrix) => Matrix;
  /** Logits. */
  readonly head: (x: Matrix) => Matrix;
}

/** @param isFixed - the parameters are not trained: no gradient of them is computed */
export function modelParts(
  parameters: Parameters,
  shape: ModelShape,
  { ids, batch }: ModelInput,
  isFixed = false,
): ModelParts {
  const tokens = ids.length / batch;
  const matrix = (name: string): Matrix => find(parameters, name) as Matrix;
  const vector = (name: string): Vector => find(parameters, name) as Vector;
  const norm = (x: Matrix, name: string): Matrix => layerNorm(x, vector(`${name}.gain`), vector(`${name}.shift`));
  const project = (x: Matrix, name: string): Matrix =>
    (isFixed ? fixedLinear : linear)(x, matrix(`${name}.weight`), vector(`${name}.bias`));
  const { heads, hidden } = shape;
  const positions = Int32Array.from(ids, (_, i) => i % tokens);
  return {
    embedding: () => residual(embed(matrix('tokens'), ids), embed(matrix('positions'), positions)),
    qkv: (layer, x) => project(norm(x, `${layer}.norm1`), `${layer}.qkv`),
    context: (qkv, looks) => causalAttention(qkv, { batch, tokens, heads, headDim: hidden / heads }, looks),
    out: (layer, context) => project(context, `${layer}.out`),
    mlp: (layer, x) => project(relu(project(norm(x, `${layer}.norm2`), `${layer}.fc1`)), `${layer}.fc2`),
    head: (x) => (isFixed ? fixedHead : tiedHead)(norm(x, 'norm'), matrix('tokens')),
  };
}

/** Logits (batch · tokens, vocab). */
export function forward(
  parameters: Parameters,
  shape: ModelShape,
  input: ModelInput & { readonly drops?: DropsBlock },
): Matrix {
  const { drops = () => false } = input;
  const { embedding, qkv, context, out, mlp, head } = modelParts(parameters, shape, input);
  let x = embedding();
  for (let layer = 0; layer < shape.layers; layer++) {
    if (!drops(2 * layer)) x = residual(x, out(layer, context(qkv(layer, x))));
    if (!drops(2 * layer + 1)) x = residual(x, mlp(layer, x));
  }
  return head(x);
}

export function find(parameters: Parameters, name: string): tf.Tensor {
  const tensor = parameters.get(name);
  if (tensor === undefined) throw new Error(`internal: no parameter ${name}`);
  return tensor;
}
