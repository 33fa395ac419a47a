/** @file Ops that are particular to transformers: embedding, rotary positions, attention, the residual sum, images. */
import { numberAttr } from './attrs.ts';
import { weightsAttr } from './math.ts';
import { expectRank, f32, formatType, sameType } from './spec.ts';
import type { OpShape, OpSpec } from './spec.ts';
import type { TensorType } from '../tensor-type.ts';

/** What probes report of an attention block's KV list, see insert-kv-probes. */
export const kvReports = ['latest_k', 'latest_v', 'project_k', 'project_v', 'absent'] as const;
export type KvReport = (typeof kvReports)[number];

function width(type: TensorType | undefined): number {
  const last = type?.shape.at(-1);
  return typeof last === 'number' ? last : 0;
}

function inferAttention({ operands: [q, k, v], attrs }: OpShape): TensorType | string {
  if (q === undefined || k === undefined || v === undefined) return 'needs q, k and v';
  const wrong = expectRank('q', q, 'f32', 2) ?? expectRank('k', k, 'f32', 2) ?? expectRank('v', v, 'f32', 2);
  if (wrong !== undefined) return wrong;
  const [heads, kvHeads] = [numberAttr(attrs, 'heads'), numberAttr(attrs, 'kv_heads')];
  if (heads % kvHeads !== 0) return `${heads} heads cannot share ${kvHeads} KV heads`;
  if (width(q) % heads !== 0) return `q of ${width(q)} columns does not split into ${heads} heads`;
  const expected = f32(q.shape[0] ?? 0, (width(q) / heads) * kvHeads);
  if (!sameType(k, expected) || !sameType(v, expected)) {
    return `k is ${formatType(k)} and v is ${formatType(v)}, expected ${formatType(expected)}`;
  }
  return q;
}

function inferRope({ operands: [x, positions, cos, sin], attrs }: OpShape): TensorType | string {
  if (x === undefined || positions === undefined || cos === undefined || sin === undefined) {
    return 'needs four operands';
  }
  const headDim = numberAttr(attrs, 'head_dim');
  const wrong =
    expectRank('x', x, 'f32', 2) ??
    expectRank('positions', positions, 'i32', 1) ??
    expectRank('cos', cos, 'f32', 2) ??
    (sameType(cos, sin) ? undefined : `sin is ${formatType(sin)}, cos ${formatType(cos)}`);
  if (wrong !== undefined) return wrong;
  if (headDim % 2 !== 0 || width(x) % headDim !== 0) {
    return `x of ${width(x)} columns does not split into heads of ${headDim}`;
  }
  return width(cos) * 2 === headDim ? x : `cos has ${width(cos)} columns, expected ${headDim / 2}`;
}

const positive = { type: 'number', integer: true, min: 1 } as const;

export const modelOps = {
  embed: {
    summary: 'Row id + offset of a table, for each id; with int8 weights, rounded.',
    operands: ['ids', 'table'],
    attrs: { offset: { type: 'number', integer: true, min: 0 }, weights: weightsAttr },
    place: 'region',
    infer: ({ operands: [ids, table] }) => {
      if (ids === undefined || table === undefined) return 'needs ids and a table';
      const wrong = expectRank('ids', ids, 'i32', 1) ?? expectRank('table', table, 'f32', 2);
      return wrong ?? f32(ids.shape[0] ?? 0, width(table));
    },
    flops: () => 0,
  },
  patchify: {
    summary:
      'An image [channels, height, width] cut into square patches, row by row; a patch is [channels, y, x] flattened.',
    operands: ['pixels'],
    attrs: { size: positive },
    place: 'region',
    infer: ({ operands: [pixels], attrs }) => {
      const size = numberAttr(attrs, 'size');
      const [channels, height, wide] = pixels?.shape ?? [];
      if (typeof channels !== 'number' || typeof height !== 'number' || typeof wide !== 'number') {
        return 'needs an image of rank 3';
      }
      if (height % size !== 0 || wide % size !== 0) {
        return `${height} × ${wide} pixels do not split into patches of ${size}`;
      }
      return f32((height / size) * (wide / size), channels * size * size);
    },
    flops: () => 0,
  },
  prepend: {
    summary: 'x with one row put before it.',
    operands: ['x', 'row'],
    place: 'region',
    infer: ({ operands: [x, row] }) => {
      const rows = x?.shape[0];
      if (x === undefined || row === undefined || typeof rows !== 'number') {
        return 'needs a matrix with a known number of rows';
      }
      return sameType(row, f32(width(x)))
        ? f32(rows + 1, width(x))
        : `row is ${formatType(row)}, expected ${formatType(f32(width(x)))}`;
    },
    flops: () => 0,
  },
  select: {
    summary: 'One row of x, as a matrix of one row.',
    operands: ['x'],
    attrs: { row: { type: 'number', integer: true, min: 0 } },
    place: 'region',
    infer: ({ operands: [x] }) => (x === undefined ? 'needs x' : (expectRank('x', x, 'f32', 2) ?? f32(1, width(x)))),
    flops: () => 0,
  },
  rope: {
    summary:
      'Rotary position embedding: in each head, columns i and i + head_dim / 2 are rotated by the angle of their position.',
    operands: ['x', 'positions', 'cos', 'sin'],
    attrs: { head_dim: positive },
    place: 'region',
    infer: inferRope,
    flops: ({ operands: [x] }, { rows }) => 3 * rows * width(x),
  },
  attention: {
    summary:
      'softmax(q · kᵀ · scale) · v in each head, over the entries that this block holds; first adds this row’s k and v to them. ' +
      'Causal: entries of this and earlier tokens. Otherwise: of all tokens.',
    operands: ['q', 'k', 'v'],
    attrs: { heads: positive, kv_heads: positive, scale: { type: 'number' }, causal: { type: 'boolean' } },
    place: 'region',
    effect: true,
    infer: inferAttention,
    flops: ({ operands: [q] }, { rows, cached }) => 4 * rows * cached * width(q),
  },
  residual: {
    summary: 'x + p · f: the end of a residual branch. p is 1 unless routers weigh, see `weighting`.',
    operands: ['x', 'f'],
    place: 'region',
    infer: ({ operands: [x, f] }) => {
      if (x === undefined || f === undefined) return 'needs x and f';
      return sameType(x, f) ? x : `x is ${formatType(x)}, f ${formatType(f)}`;
    },
    flops: ({ operands: [x] }, { rows }) => rows * width(x),
  },
  probe: {
    summary:
      'Euclidean norms of x, f and x + f in each row, for someone who watches the program: what block number `block` does to the ' +
      'hidden state, or what of its KV list `of` names.',
    operands: ['x', 'f'],
    attrs: {
      block: { type: 'number', integer: true, min: 0 },
      of: { type: 'string', oneOf: kvReports, optional: true },
    },
    place: 'region',
    effect: true,
    infer: ({ operands: [x, f] }) => {
      if (x === undefined || f === undefined) return 'needs x and f';
      const wrong = expectRank('x', x, 'f32', 2);
      return wrong ?? (sameType(x, f) ? f32(x.shape[0] ?? 0, 3) : `x is ${formatType(x)}, f ${formatType(f)}`);
    },
    flops: ({ operands: [x] }, { rows }) => 7 * rows * width(x),
  },
} satisfies Record<string, OpSpec>;
