/** @file Ops that make constants: stored tensors, generated numbers, and the ways to cut and join them. */
import { numberAttr, numbersAttr } from './attrs.ts';
import { elements, expectRank, f32, formatType, sameShape } from './spec.ts';
import type { OpShape, OpSpec } from './spec.ts';
import type { Dim, TensorType } from '../tensor-type.ts';

const free = (): number => 0;

function declared({ declared }: OpShape): TensorType | string {
  if (declared === undefined) return 'needs a type';
  if (declared.dtype !== 'f32') return `is ${formatType(declared)}, expected f32`;
  if (declared.shape.includes('tokens')) return `is ${formatType(declared)}, a constant has known sizes`;
  return declared;
}

export const constantOps = {
  tensor: {
    summary: 'A tensor of the checkpoint, by name.',
    operands: [],
    attrs: { name: { type: 'string' } },
    place: 'const',
    declared: true,
    infer: declared,
    flops: free,
  },
  random: {
    summary: 'Normally distributed numbers from a seeded generator; makes a module without a checkpoint runnable.',
    operands: [],
    attrs: {
      seed: { type: 'number', integer: true, min: 0 },
      mean: { type: 'number' },
      std: { type: 'number', min: 0 },
    },
    place: 'const',
    declared: true,
    infer: declared,
    flops: free,
  },
  full: {
    summary: 'One number everywhere.',
    operands: [],
    attrs: { value: { type: 'number' } },
    place: 'const',
    declared: true,
    infer: declared,
    flops: free,
  },
  values: {
    summary: 'Numbers written out, row by row.',
    operands: [],
    attrs: { data: { type: 'numbers' } },
    place: 'const',
    declared: true,
    infer: (shape) => {
      const type = declared(shape);
      if (typeof type === 'string') return type;
      const found = numbersAttr(shape.attrs, 'data').length;
      return found === elements(type, 0)
        ? type
        : `has ${found} numbers, its type ${formatType(type)} ${elements(type, 0)}`;
    },
    flops: free,
  },
  rope_table: {
    summary: 'cos or sin of position × frequency, for rotary embedding: one row a position, one column a frequency.',
    operands: ['frequencies'],
    attrs: {
      length: { type: 'number', integer: true, min: 1 },
      function: { type: 'string', oneOf: ['cos', 'sin'] },
    },
    place: 'const',
    infer: ({ operands: [frequencies], attrs }) => {
      if (frequencies === undefined) return 'needs frequencies';
      const wrong = expectRank('frequencies', frequencies, 'f32', 1);
      return wrong ?? f32(numberAttr(attrs, 'length'), frequencies.shape[0] ?? 0);
    },
    flops: free,
  },
  concat: {
    summary: 'Tensors of rank 1 or 2 joined along an axis.',
    operands: ['parts…'],
    attrs: { axis: { type: 'number', integer: true, min: 0 } },
    place: 'any',
    infer: ({ operands, attrs }) => {
      const [first] = operands;
      const axis = numberAttr(attrs, 'axis');
      if (first === undefined || axis >= first.shape.length) return `axis ${axis} does not exist`;
      let sum = 0;
      for (const type of operands) {
        const size = type.shape[axis];
        if (type.dtype !== first.dtype || type.shape.length !== first.shape.length || typeof size !== 'number') {
          return `cannot join ${formatType(type)} to ${formatType(first)} along axis ${axis}`;
        }
        if (!type.shape.every((dim, i) => i === axis || dim === first.shape[i])) {
          return `cannot join ${formatType(type)} to ${formatType(first)} along axis ${axis}`;
        }
        sum += size;
      }
      return { dtype: first.dtype, shape: first.shape.with(axis, sum) };
    },
    flops: free,
  },
  slice: {
    summary: 'The part [from, to) of an axis.',
    operands: ['x'],
    attrs: {
      axis: { type: 'number', integer: true, min: 0 },
      from: { type: 'number', integer: true, min: 0 },
      to: { type: 'number', integer: true, min: 1 },
    },
    place: 'any',
    infer: ({ operands: [x], attrs }) => {
      const axis = numberAttr(attrs, 'axis');
      const [from, to] = [numberAttr(attrs, 'from'), numberAttr(attrs, 'to')];
      const size = x?.shape[axis];
      if (x === undefined || typeof size !== 'number') return `axis ${axis} does not exist or has no known size`;
      if (from >= to || to > size) return `[${from}, ${to}) is not a part of an axis of ${size}`;
      return { dtype: x.dtype, shape: x.shape.with(axis, to - from) };
    },
    flops: free,
  },
  transpose: {
    summary: 'A matrix with rows and columns exchanged.',
    operands: ['x'],
    place: 'const',
    infer: ({ operands: [x] }) => {
      if (x === undefined) return 'needs a matrix';
      return expectRank('x', x, 'f32', 2) ?? f32(x.shape[1] ?? 0, x.shape[0] ?? 0);
    },
    flops: free,
  },
  reshape: {
    summary: 'The same numbers, row-major, in another shape.',
    operands: ['x'],
    attrs: { shape: { type: 'numbers' } },
    place: 'const',
    infer: ({ operands: [x], attrs }) => {
      const shape: readonly Dim[] = numbersAttr(attrs, 'shape');
      if (x === undefined || !shape.every((dim) => typeof dim === 'number' && Number.isInteger(dim) && dim >= 0)) {
        return 'needs a shape of whole numbers';
      }
      const type = { dtype: x.dtype, shape };
      if (elements(type, 0) !== elements(x, 0)) return `cannot turn ${formatType(x)} into ${formatType(type)}`;
      return sameShape(shape, x.shape) ? x : type;
    },
    flops: free,
  },
} satisfies Record<string, OpSpec>;
