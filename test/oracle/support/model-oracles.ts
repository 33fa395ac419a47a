/** @file The ops that are particular to transformers, in TensorFlow.js. */
import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '../../../ir/interpreter/index.ts';
import { booleanAttr, numberAttr } from '../../../ir/ops/attrs.ts';
import { kvReports } from '../../../ir/ops/model.ts';
import type { Draw } from '../../support/draw.ts';
import { attention, causalMask, embed, onGrid, patches, rotate } from './formulas.ts';
import { floats, ids } from './inputs.ts';
import { on1, on2, operand } from './oracle.ts';
import type { OpCase, OpOracle, OracleCall } from './oracle.ts';

export const modelOracles = {
  embed: {
    ulps: 0,
    cases: (draw) =>
      [0, 2, 1].map((offset) => {
        const rows = draw.int(1, 12);
        const table = floats(draw, [rows + offset, draw.int(1, 9)]);
        const attrs = { offset, ...(offset === 1 && { weights: 'int8' }) };
        return { operands: [ids(draw, draw.int(1, 9), rows), table], attrs };
      }),
    reference: on2((x, table, { attrs }) =>
      embed(
        tf.cast(tf.add(x, numberAttr(attrs, 'offset')), 'int32'),
        attrs['weights'] === 'int8' ? onGrid(table, 127) : table,
      ),
    ),
  },
  patchify: {
    ulps: 0,
    cases: (draw) => {
      const size = draw.int(1, 4);
      const image = floats(draw, [draw.int(1, 4), size * draw.int(1, 4), size * draw.int(1, 4)]);
      return [{ operands: [image], attrs: { size } }];
    },
    reference: on1((pixels, { attrs }) => patches(pixels, numberAttr(attrs, 'size'))),
  },
  prepend: {
    ulps: 0,
    cases: (draw) => {
      const columns = draw.int(1, 9);
      return [{ operands: [floats(draw, [draw.int(1, 7), columns]), floats(draw, [columns])] }];
    },
    reference: on2((x, row) => tf.concat([tf.expandDims(row, 0), x], 0)),
  },
  select: {
    ulps: 0,
    cases: (draw) => {
      const rows = draw.int(1, 9);
      return [0, rows - 1].map((row) => ({ operands: [floats(draw, [rows, draw.int(1, 9)])], attrs: { row } }));
    },
    reference: on1((x, { attrs }) => tf.gather(x, tf.tensor1d([numberAttr(attrs, 'row')], 'int32'))),
  },
  rope: {
    ulps: 8,
    cases: ropes,
    reference: (call) => {
      const at = tf.cast(operand(call, 1), 'int32');
      return rotate(operand(call, 0), tf.gather(operand(call, 2), at), tf.gather(operand(call, 3), at));
    },
  },
  attention: { ulps: 128, cases: attentions, reference: attend },
  residual: {
    ulps: 0,
    cases: (draw) => {
      const shape = [draw.int(1, 7), draw.int(1, 20)];
      return [{ operands: [floats(draw, shape), floats(draw, shape)] }];
    },
    reference: on2((x, f) => tf.add(x, f)),
  },
  probe: {
    ulps: 8,
    cases: (draw) => {
      const shape = [draw.int(1, 7), draw.int(1, 20)];
      const operands = [floats(draw, shape), floats(draw, shape)];
      return [{ block: 0 }, ...kvReports.map((of) => ({ block: 0, of }))].map((attrs) => ({ operands, attrs }));
    },
    reference: on2((x, f) =>
      tf.stack(
        [x, f, tf.add(x, f)].map((value) => tf.sqrt(tf.sum(tf.square(value), 1))),
        1,
      ),
    ),
  },
} satisfies Record<string, OpOracle>;

/** Several heads, and positions in any order. */
function ropes(draw: Draw): readonly OpCase[] {
  return [1, 3].map((heads) => {
    const [rows, half, length] = [draw.int(1, 6), draw.int(1, 6), draw.int(1, 12)];
    const tables = [floats(draw, [length, half]), floats(draw, [length, half])];
    const x = floats(draw, [rows, heads * 2 * half]);
    return { operands: [x, ids(draw, rows, length), ...tables], attrs: { head_dim: 2 * half } };
  });
}

function attentions(draw: Draw): readonly OpCase[] {
  return [true, false].flatMap((causal) =>
    // All heads alike, one for each pair, one for all, one head.
    (
      [
        [3, 3],
        [4, 2],
        [4, 1],
        [1, 1],
      ] as const
    ).flatMap(([heads, kvHeads]) => {
      const [rows, dim] = [draw.int(1, 9), draw.int(1, 8)];
      const attrs = { heads, kv_heads: kvHeads, causal };
      const [wide, narrow] = [
        [rows, heads * dim],
        [rows, kvHeads * dim],
      ];
      const v = floats(draw, narrow);
      return [
        { operands: [floats(draw, wide), floats(draw, narrow), v], attrs: { ...attrs, scale: 1 / Math.sqrt(dim) } },
        // Exact scores of which many tie and the others are so far apart that the exponential overflows without care.
        { operands: [digits(draw, wide), digits(draw, narrow), v], attrs: { ...attrs, scale: 64 } },
      ];
    }),
  );
}

/** Whole numbers from -3 to 3. */
function digits(draw: Draw, shape: readonly number[]): Tensor {
  const { data } = floats(draw, shape);
  return { shape, data: data.map((value: number) => Math.max(-3, Math.min(3, Math.round(value)))) };
}

function attend(call: OracleCall): tf.Tensor {
  const [q, k, v] = [operand(call, 0), operand(call, 1), operand(call, 2)];
  const [rows = 0] = q.shape;
  const { attrs } = call;
  return attention(q, k, v, {
    heads: numberAttr(attrs, 'heads'),
    kvHeads: numberAttr(attrs, 'kv_heads'),
    scale: numberAttr(attrs, 'scale'),
    ...(booleanAttr(attrs, 'causal') && { mask: causalMask(rows) }),
  });
}
