/** @file Elementwise ops, norms and the linear map with everything that may be fused into it. */
import { inputLevels, readsInt8 } from '../int8.ts';
import { elements, expectRank, f32, formatType, sameShape, sameType } from './spec.ts';
import type { OpShape, OpSpec } from './spec.ts';
import type { Dim, TensorType } from '../tensor-type.ts';

/** The activations; the names of ops and the values of `linear`'s `act` alike. `gelu` is the erf form. */
export const activations = ['relu', 'gelu', 'gelu_tanh', 'silu', 'tanh'] as const;
export type Activation = (typeof activations)[number];

/** Polynomial, division and exponential of an activation, as the cost model counts them. */
const ACTIVATION_FLOPS = 12;

function unary(summary: string, flops: number): OpSpec {
  return {
    summary,
    operands: ['x'],
    place: 'any',
    infer: ({ operands: [x] }) => (x?.dtype === 'f32' ? x : 'needs an f32 tensor'),
    flops: ({ operands: [x] }, { rows }) => (x === undefined ? 0 : elements(x, rows) * flops),
  };
}

/** `b` has `a`'s shape, or is one row that is used for every row of `a`. */
function binary(summary: string): OpSpec {
  return {
    summary,
    operands: ['a', 'b'],
    place: 'any',
    infer: ({ operands: [a, b] }) => {
      if (a === undefined || b === undefined) return 'needs two operands';
      const oneRow = b.shape.length === 1 && b.shape[0] === a.shape.at(-1);
      if (a.dtype !== 'f32' || b.dtype !== 'f32' || !(oneRow || sameShape(a.shape, b.shape))) {
        return `cannot combine ${formatType(a)} and ${formatType(b)}`;
      }
      return a;
    },
    flops: ({ operands: [a] }, { rows }) => (a === undefined ? 0 : elements(a, rows)),
  };
}

function inferNorm({ operands: [x, ...vectors] }: OpShape): TensorType | string {
  const width = x?.shape.at(-1);
  if (x?.dtype !== 'f32' || x.shape.length !== 2 || width === undefined) return 'x must be f32 of rank 2';
  const wrong = vectors.find((vector) => !sameType(vector, f32(width)));
  return wrong === undefined ? x : `gain or shift is ${formatType(wrong)}, expected ${formatType(f32(width))}`;
}

function inferLinear({ operands: [x, weight], extras, attrs }: OpShape): TensorType | string {
  if (x === undefined || weight === undefined) return 'needs x and a weight';
  const wrong = expectRank('x', x, 'f32', 2) ?? expectRank('weight', weight, 'f32', 2);
  if (wrong !== undefined) return wrong;
  const [rows, width] = x.shape as [Dim, Dim];
  const [out, inner] = weight.shape as [Dim, Dim];
  if (width !== inner) return `x is ${formatType(x)}, but the weight ${formatType(weight)} takes rows of ${inner}`;
  if (readsInt8({ attrs }) && inputLevels(Number(inner)) < 1) return `rows of ${inner} are too long for int8`;
  const result = f32(rows, out);
  for (const [name, type] of Object.entries(extras)) {
    const expected = name === 'bias' ? f32(out) : name === 'gain' || name === 'shift' ? f32(width) : result;
    if (!sameType(type, expected)) return `${name} is ${formatType(type)}, expected ${formatType(expected)}`;
  }
  return normFault(attrs['norm'], (part) => part in extras || part in attrs) ?? result;
}

/** What is wrong with the parts of a fused norm, or undefined: all that it needs are there, and nothing else. */
export function normFault(norm: unknown, has: (part: 'gain' | 'shift' | 'eps') => boolean): string | undefined {
  const wanted = { gain: norm !== undefined, shift: norm === 'layer', eps: norm !== undefined };
  const wrong = (['gain', 'shift', 'eps'] as const).find((part) => wanted[part] !== has(part));
  if (wrong === undefined) return undefined;
  return `${wrong} ${wanted[wrong] ? 'is needed with this norm' : 'has no norm to belong to'}`;
}

/** How an op reads its weight: absent as f32, else as `int8.ts` says. */
export const weightsAttr = { type: 'string', oneOf: ['int8'], optional: true } as const;

const eps = { type: 'number', min: 0 } as const;

export const mathOps = {
  relu: unary('max(x, 0)', 1),
  gelu: unary('x · Φ(x), exactly (erf)', ACTIVATION_FLOPS),
  gelu_tanh: unary('GELU approximated with tanh, as GPT-2 has it', ACTIVATION_FLOPS),
  silu: unary('x · sigmoid(x)', ACTIVATION_FLOPS),
  tanh: unary('hyperbolic tangent', ACTIVATION_FLOPS),
  add: binary('a + b'),
  mul: binary('a · b, element by element'),
  scale: {
    summary: 'x times a number.',
    operands: ['x'],
    attrs: { by: { type: 'number' } },
    place: 'any',
    infer: ({ operands: [x] }) => (x?.dtype === 'f32' ? x : 'needs an f32 tensor'),
    flops: ({ operands: [x] }, { rows }) => (x === undefined ? 0 : elements(x, rows)),
  },
  layer_norm: {
    summary: '(x - mean) / sqrt(variance + eps) · gain + shift, over each row.',
    operands: ['x', 'gain', 'shift'],
    attrs: { eps },
    place: 'region',
    infer: inferNorm,
    flops: ({ operands: [x] }, { rows }) => (x === undefined ? 0 : elements(x, rows) * 8),
  },
  rms_norm: {
    summary: 'x / sqrt(mean(x²) + eps) · gain, over each row.',
    operands: ['x', 'gain'],
    attrs: { eps },
    place: 'region',
    infer: inferNorm,
    flops: ({ operands: [x] }, { rows }) => (x === undefined ? 0 : elements(x, rows) * 4),
  },
  linear: {
    summary:
      'residual + p · mul · act(norm(x) · weightᵀ + bias); all but x and weight are optional. The weight is [out, in], p as ' +
      'in `residual`. With int8 weights, rows of both factors of the product are rounded first.',
    operands: ['x', 'weight'],
    extras: ['bias', 'gain', 'shift', 'mul', 'residual'],
    attrs: {
      norm: { type: 'string', oneOf: ['layer', 'rms'], optional: true },
      eps: { ...eps, optional: true },
      act: { type: 'string', oneOf: activations, optional: true },
      weights: weightsAttr,
    },
    place: 'region',
    infer: inferLinear,
    flops: ({ operands: [x, weight] }, { rows }) =>
      x === undefined || weight === undefined ? 0 : 2 * elements(f32(x.shape[0] ?? 0), rows) * elements(weight, 0),
  },
} satisfies Record<string, OpSpec>;
