/** @file The meaning of every op, one entry each, written to be obviously right. */
import { booleanAttr, numberAttr, numbersAttr, stringAttr } from '../ops/attrs.ts';
import type { OpKind } from '../ops/table.ts';
import type { Activation } from '../ops/math.ts';
import type { Attrs, TensorType } from '../tensor-type.ts';
import type { WeightSource } from '../weights.ts';
import { normals } from '../random.ts';
import { INT8_MOST, inputLevels, readsInt8, roundRow } from '../int8.ts';
import { activationFunctions } from './functions.ts';
import { concat, patchify, slice, transpose } from './layout.ts';
import { columnsOf, mapTensor, rowOf, rowsOf, tensor } from './tensor.ts';
import type { Tensor } from './tensor.ts';

export interface AttentionAttrs {
  readonly heads: number;
  readonly kvHeads: number;
  readonly scale: number;
  readonly causal: boolean;
}

/** What an op may reach besides its operands. */
export interface Surroundings {
  readonly source: WeightSource;
  /** Adds k and v to the KV list of the block that runs now and lets q look at it; see `kv.ts`. */
  readonly attend: (q: Tensor, k: Tensor, v: Tensor, attrs: AttentionAttrs) => Tensor;
  /** What a row's residual sum scales its branch by; 1 if not given. */
  readonly probability?: (row: number) => number;
}

export interface Call {
  readonly operands: readonly Tensor[];
  readonly extras: Readonly<Record<string, Tensor>>;
  readonly attrs: Attrs;
  readonly type: TensorType;
  readonly around: Surroundings;
}

type Evaluator = (call: Call) => Tensor;

const evaluators: Readonly<Record<OpKind, Evaluator>> = {
  tensor: ({ attrs, type, around }) => {
    const shape = knownShape(type);
    return tensor(shape, around.source.read(stringAttr(attrs, 'name'), 0, count(shape)));
  },
  random: ({ attrs, type }) => {
    const shape = knownShape(type);
    const [seed, mean, std] = [numberAttr(attrs, 'seed'), numberAttr(attrs, 'mean'), numberAttr(attrs, 'std')];
    return tensor(shape, normals(count(shape), seed, mean, std));
  },
  full: ({ attrs, type }) => {
    const shape = knownShape(type);
    return tensor(shape, new Float32Array(count(shape)).fill(numberAttr(attrs, 'value')));
  },
  values: ({ attrs, type }) => tensor(knownShape(type), Float32Array.from(numbersAttr(attrs, 'data'))),
  rope_table: (call) => {
    const frequencies = operand(call, 0);
    const length = numberAttr(call.attrs, 'length');
    const f = stringAttr(call.attrs, 'function') === 'cos' ? Math.cos : Math.sin;
    const width = frequencies.data.length;
    const data = Float32Array.from({ length: length * width }, (_, i) =>
      f(Math.floor(i / width) * (frequencies.data[i % width] ?? 0)),
    );
    return tensor([length, width], data);
  },
  concat: ({ operands, attrs }) => concat(operands, numberAttr(attrs, 'axis')),
  slice: (call) =>
    slice(
      operand(call, 0),
      numberAttr(call.attrs, 'axis'),
      numberAttr(call.attrs, 'from'),
      numberAttr(call.attrs, 'to'),
    ),
  transpose: (call) => transpose(operand(call, 0)),
  reshape: (call) => tensor(numbersAttr(call.attrs, 'shape'), operand(call, 0).data),
  relu: activation('relu'),
  gelu: activation('gelu'),
  gelu_tanh: activation('gelu_tanh'),
  silu: activation('silu'),
  tanh: activation('tanh'),
  add: (call) => binary(call, (a, b) => a + b),
  mul: (call) => binary(call, (a, b) => a * b),
  residual: (call) => {
    const [x, f] = [operand(call, 0), operand(call, 1)];
    return mapTensor(x, (value, i) => value + probabilityOf(call, Math.floor(i / columnsOf(x))) * (f.data[i] ?? 0));
  },
  probe: (call) => {
    const [x, f] = [operand(call, 0), operand(call, 1)];
    const sum = binary(call, (a, b) => a + b);
    const rows = Array.from({ length: rowsOf(x) }, (_, r) =>
      [x, f, sum].map((value) => Math.hypot(...rowOf(value, r))),
    );
    return tensor([rows.length, 3], Float32Array.from(rows.flat()));
  },
  scale: (call) => mapTensor(operand(call, 0), (x) => x * numberAttr(call.attrs, 'by')),
  layer_norm: (call) => layerNorm(operand(call, 0), operand(call, 1), operand(call, 2), numberAttr(call.attrs, 'eps')),
  rms_norm: (call) => rmsNorm(operand(call, 0), operand(call, 1), numberAttr(call.attrs, 'eps')),
  linear,
  embed: (call) => {
    const [ids, table] = [operand(call, 0), operand(call, 1)];
    const offset = numberAttr(call.attrs, 'offset');
    const data = new Float32Array(ids.data.length * columnsOf(table));
    ids.data.forEach((id, i) => {
      const row = rowOf(table, id + offset);
      data.set(readsInt8(call) ? onGrid(row) : row, i * columnsOf(table));
    });
    return tensor([ids.data.length, columnsOf(table)], data);
  },
  patchify: (call) => patchify(operand(call, 0), numberAttr(call.attrs, 'size')),
  prepend: (call) => {
    const [x, row] = [operand(call, 0), operand(call, 1)];
    const data = new Float32Array(x.data.length + row.data.length);
    data.set(row.data);
    data.set(x.data, row.data.length);
    return tensor([rowsOf(x) + 1, columnsOf(x)], data);
  },
  select: (call) => {
    const x = operand(call, 0);
    return tensor([1, columnsOf(x)], rowOf(x, numberAttr(call.attrs, 'row')));
  },
  rope: (call) => rope(call, numberAttr(call.attrs, 'head_dim')),
  attention: (call) =>
    call.around.attend(operand(call, 0), operand(call, 1), operand(call, 2), attentionAttrs(call.attrs)),
};

/** The value of one op. */
export function evaluate(kind: OpKind, call: Call): Tensor {
  return evaluators[kind](call);
}

function attentionAttrs(attrs: Attrs): AttentionAttrs {
  return {
    heads: numberAttr(attrs, 'heads'),
    kvHeads: numberAttr(attrs, 'kv_heads'),
    scale: numberAttr(attrs, 'scale'),
    causal: booleanAttr(attrs, 'causal'),
  };
}

function operand(call: Call, index: number): Tensor {
  const value = call.operands[index];
  if (value === undefined) throw new Error(`internal: no operand ${index}`);
  return value;
}

function probabilityOf({ around: { probability } }: Call, row: number): number {
  return probability === undefined ? 1 : probability(row);
}

function knownShape(type: TensorType): readonly number[] {
  return type.shape.map((dim) => {
    if (dim === 'tokens') throw new Error('internal: a constant without a known size');
    return dim;
  });
}

function count(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function activation(name: Activation): Evaluator {
  return (call) => mapTensor(operand(call, 0), activationFunctions[name]);
}

function binary(call: Call, f: (a: number, b: number) => number): Tensor {
  const [a, b] = [operand(call, 0), operand(call, 1)];
  return mapTensor(a, (value, i) => f(value, b.data[i % b.data.length] ?? 0));
}

function layerNorm(x: Tensor, gain: Tensor, shift: Tensor, eps: number): Tensor {
  const columns = columnsOf(x);
  const data = new Float32Array(x.data.length);
  for (let r = 0; r < rowsOf(x); r++) {
    const row = rowOf(x, r);
    let mean = 0;
    for (const value of row) mean += value / columns;
    let variance = 0;
    for (const value of row) variance += (value - mean) ** 2 / columns;
    row.forEach((value, i) => {
      data[r * columns + i] = ((value - mean) / Math.sqrt(variance + eps)) * (gain.data[i] ?? 0) + (shift.data[i] ?? 0);
    });
  }
  return tensor(x.shape, data);
}

function rmsNorm(x: Tensor, gain: Tensor, eps: number): Tensor {
  const columns = columnsOf(x);
  const data = new Float32Array(x.data.length);
  for (let r = 0; r < rowsOf(x); r++) {
    const row = rowOf(x, r);
    let square = 0;
    for (const value of row) square += value ** 2 / columns;
    row.forEach((value, i) => {
      data[r * columns + i] = (value / Math.sqrt(square + eps)) * (gain.data[i] ?? 0);
    });
  }
  return tensor(x.shape, data);
}

function normed({ operands, extras, attrs }: Call): Tensor {
  const [x] = operands;
  const { gain, shift } = extras;
  if (x === undefined) throw new Error('internal: linear without x');
  if (attrs['norm'] === 'layer' && gain !== undefined && shift !== undefined) {
    return layerNorm(x, gain, shift, numberAttr(attrs, 'eps'));
  }
  if (attrs['norm'] === 'rms' && gain !== undefined) return rmsNorm(x, gain, numberAttr(attrs, 'eps'));
  return x;
}

function linear(call: Call): Tensor {
  const x = normed(call);
  const weight = operand(call, 1);
  const { bias, mul, residual } = call.extras;
  const act =
    call.attrs['act'] === undefined ? undefined : activationFunctions[stringAttr(call.attrs, 'act') as Activation];
  const [out = 0] = weight.shape;
  const rows = rowsOf(x);
  const product = readsInt8(call) ? int8Products(x, weight) : products(x, weight);
  const data = new Float32Array(rows * out);
  for (let r = 0; r < rows; r++) {
    for (let o = 0; o < out; o++) {
      const i = r * out + o;
      let sum = product(r, o);
      sum += bias?.data[o] ?? 0;
      if (act !== undefined) sum = act(sum);
      if (mul !== undefined) sum *= mul.data[i] ?? 0;
      data[i] = residual === undefined ? sum : (residual.data[i] ?? 0) + probabilityOf(call, r) * sum;
    }
  }
  return tensor([rows, out], data);
}

/** Row r of x times row o of the weight. */
type Product = (r: number, o: number) => number;

function products(x: Tensor, weight: Tensor): Product {
  const inner = columnsOf(x);
  return (r, o) => {
    let sum = 0;
    for (let k = 0; k < inner; k++) sum += (x.data[r * inner + k] ?? 0) * (weight.data[o * inner + k] ?? 0);
    return sum;
  };
}

/** The whole numbers are multiplied and added exactly; then their sum, as an f32, is scaled. */
function int8Products(x: Tensor, weight: Tensor): Product {
  const levels = inputLevels(columnsOf(x));
  const left = Array.from({ length: rowsOf(x) }, (_, r) => roundRow(rowOf(x, r), levels));
  const right = Array.from({ length: rowsOf(weight) }, (_, o) => roundRow(rowOf(weight, o), INT8_MOST));
  return (r, o) => {
    const [a, b] = [left[r], right[o]];
    if (a === undefined || b === undefined) throw new Error('internal: no such row');
    const sum = a.values.reduce((total, value, k) => total + value * (b.values[k] ?? 0), 0);
    return Math.fround(Math.fround(sum) * Math.fround(a.scale * b.scale));
  };
}

/** The row of a table, as int8 can hold it. */
function onGrid(row: Float32Array | Int32Array): Float32Array {
  const { scale, values } = roundRow(row, INT8_MOST);
  return Float32Array.from(values, (value) => value * scale);
}

function rope(call: Call, headDim: number): Tensor {
  const [x, positions, cos, sin] = [operand(call, 0), operand(call, 1), operand(call, 2), operand(call, 3)];
  const half = headDim / 2;
  const columns = columnsOf(x);
  return mapTensor(x, (value, index) => {
    const [row, column] = [Math.floor(index / columns), index % columns];
    const within = column % headDim;
    const angle = (positions.data[row] ?? 0) * half + (within % half);
    const first = within < half;
    const partner = (first ? -1 : 1) * (x.data[index + (first ? half : -half)] ?? 0);
    return value * (cos.data[angle] ?? 0) + partner * (sin.data[angle] ?? 0);
  });
}
