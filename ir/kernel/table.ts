/** @file The kernel table: what a target must be able to run. Targets have one emitter for each line. */
import { activations } from '../ops/math.ts';
import type { AttrSpec } from '../ops/spec.ts';

export interface InputSpec {
  /** `either`: a view, or a weight of one row (used for every row) or of one row for each row. */
  readonly from: 'view' | 'weight' | 'either';
  readonly optional?: boolean;
}

export interface KernelSpec {
  readonly summary: string;
  readonly out: boolean;
  readonly inputs: Readonly<Record<string, InputSpec>>;
  /** Inputs that `out` may lie over, exactly: a row is read before it is written. */
  readonly inPlace?: readonly string[];
  readonly attrs?: Readonly<Record<string, AttrSpec>>;
}

const view = { from: 'view' } as const;
const weight = { from: 'weight' } as const;
const optionalWeight = { from: 'weight', optional: true } as const;
const optionalView = { from: 'view', optional: true } as const;
const positive = { type: 'number', integer: true, min: 1 } as const;
const number = { type: 'number' } as const;
const norm = { type: 'string', oneOf: ['layer', 'rms'] } as const;

const specs = {
  embed: {
    summary: 'out[i] = table[ids[i] + offset]',
    out: true,
    inputs: { ids: view, table: weight },
    attrs: { offset: { type: 'number', integer: true, min: 0 } },
  },
  linear: {
    summary:
      'out = residual + probability · mul · act(norm(x) · weightᵀ + bias). Weight in panels or int8. Writes whole panels: out starts at column 0, ' +
      'or has a multiple of PANEL columns. `first` is the first output column of the weight that is computed. With a scorer it ' +
      'also writes to `partial` what `score` needs of the row that it makes: in four lanes each, out · scorer and out · out.',
    out: true,
    inputs: {
      x: view,
      weight,
      bias: optionalWeight,
      gain: optionalWeight,
      shift: optionalWeight,
      mul: optionalView,
      residual: optionalView,
      probability: optionalView,
      scorer: optionalWeight,
      partial: optionalView,
    },
    inPlace: ['residual'],
    attrs: {
      first: { type: 'number', integer: true, min: 0 },
      norm: { ...norm, optional: true },
      eps: { ...number, optional: true },
      act: { type: 'string', oneOf: activations, optional: true },
    },
  },
  norm: {
    summary: 'out = layer norm or RMS norm of each row of x',
    out: true,
    inputs: { x: view, gain: weight, shift: optionalWeight },
    inPlace: ['x'],
    attrs: { norm, eps: number },
  },
  unary: {
    summary: 'out = function(x), element by element',
    out: true,
    inputs: { x: view },
    inPlace: ['x'],
    attrs: { function: { type: 'string', oneOf: activations } },
  },
  binary: {
    summary: 'out = a + b or a · b, element by element; with a probability, a number for each row, a + probability · b',
    out: true,
    inputs: { a: view, b: { from: 'either' }, probability: optionalView },
    inPlace: ['a', 'b'],
    attrs: { function: { type: 'string', oneOf: ['add', 'mul'] } },
  },
  scale: { summary: 'out = x · by', out: true, inputs: { x: view }, inPlace: ['x'], attrs: { by: number } },
  copy: { summary: 'out = x', out: true, inputs: { x: view } },
  prepend: { summary: 'out = the row, then the rows of x', out: true, inputs: { x: view, row: weight } },
  select: {
    summary: 'out has one row: row `row` of x, counted in the row list when x is routed',
    out: true,
    inputs: { x: view },
    attrs: { row: { type: 'number', integer: true, min: 0 } },
  },
  patchify: {
    summary: 'out = patches of the image, one a row; pixels is [1, channels · height · width]',
    out: true,
    inputs: { pixels: view },
    attrs: { channels: positive, height: positive, width: positive, size: positive },
  },
  rope: {
    summary: 'out = x with columns i and i + head_dim / 2 of each head rotated',
    out: true,
    inputs: { x: view, positions: view, cos: weight, sin: weight },
    inPlace: ['x'],
    attrs: { head_dim: positive },
  },
  append: {
    summary: 'writes k and v of each row to its slot in the block’s KV list',
    out: false,
    inputs: { k: view, v: view },
    attrs: { kv_heads: positive, head_dim: positive },
  },
  attend: {
    summary:
      'out = softmax(q · kᵀ · scale) · v in each head, over the block’s KV list: up to and with the row’s own slot if causal, else all',
    out: true,
    inputs: { q: view },
    attrs: { heads: positive, kv_heads: positive, head_dim: positive, scale: number, causal: { type: 'boolean' } },
  },
  score: {
    summary:
      'out = (row · scorer) / rms(row) + bias of a row with `columns` columns, of which `partial` has the two products',
    out: true,
    inputs: { partial: view, bias: optionalWeight },
    attrs: { columns: positive, eps: number },
  },
  probe: {
    summary: 'out = Euclidean norms of x, f and x + f of each row',
    out: true,
    inputs: { x: view, f: view },
  },
} satisfies Record<string, KernelSpec>;

export type KernelKind = keyof typeof specs;

export const kernelSpecs: Readonly<Record<KernelKind, KernelSpec>> = specs;

export const kernelKinds = Object.keys(specs) as readonly KernelKind[];

export function isKernelKind(word: string): word is KernelKind {
  return Object.hasOwn(specs, word);
}
