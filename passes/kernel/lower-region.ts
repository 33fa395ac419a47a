/** @file Lowers one region to a body: where its parameters and its result are, its code, its fill. */
import { PIXELS, resultType } from '../../ir/index.ts';
import type { Buffer, BufferName, Dim, Network, Op, Region, TensorType, View } from '../../ir/index.ts';
import { columnsOf } from './code.ts';
import { fillCode } from './fill.ts';
import { Frame } from './frame.ts';
import type { FinishedBody } from './frame.ts';
import { append } from './op-lowerings.ts';
import { RegionLowering } from './region-lowering.ts';
import type { PlacedParam, RegionTarget } from './region-lowering.ts';
import type { WeightTable } from './weight-table.ts';

export interface Place {
  /** Buffers of the parameters, in order. */
  readonly params: readonly BufferName[];
  /** Buffer of the result, and the rows that it has. */
  readonly home: { readonly buffer: BufferName; readonly rows: Buffer['rows'] };
  readonly routed: { readonly params: boolean; readonly home: boolean };
  /** Rows of buffers for values of `tokens` rows. */
  readonly tokenRows: Buffer['rows'];
  /** What the residual sum scales its branch by, where routers weigh. */
  readonly probability?: View | undefined;
}

/** Lowers a region; with `attention`, also what of it fills the KV list when a token passes the block over. */
export function lowerRegion(
  network: Network,
  weights: WeightTable,
  region: Region,
  place: Place,
  attention?: Op,
): FinishedBody {
  const frame = new Frame((constant) => weights.shape(constant));
  const rowsOf = (dim: Dim): Buffer['rows'] => {
    if (dim === 'tokens') return place.tokenRows;
    return network.task !== 'causal-lm' && dim === network.context ? 'chunk' : dim;
  };
  const params = region.params.map(({ name, type }, index): PlacedParam => {
    const buffer = place.params[index];
    if (buffer === undefined) throw new Error(`internal: no buffer for parameter ${name}`);
    const columns = type.shape.length === 1 ? 1 : elementsOf(buffer === PIXELS ? type.shape : type.shape.slice(1));
    return { name, type, view: { buffer, from: 0, columns, routed: place.routed.params } };
  });
  const home: View = {
    buffer: place.home.buffer,
    from: 0,
    columns: columnsOf(yieldedType(region)),
    routed: place.routed.home,
  };
  const common = { params, rowsOf, isPanels: weights.isPanels, probability: place.probability };
  const target: RegionTarget = {
    ...common,
    ops: region.ops,
    results: [region.result],
    home: { view: home, rows: place.home.rows },
    firstColumns: new Map(),
  };
  const code = new RegionLowering(frame, target);
  code.run();
  const fill = attention === undefined ? [] : lowerFill(frame, region, attention, common);
  return frame.finish(code.kernels, fill);
}

function lowerFill(
  frame: Frame,
  region: Region,
  attention: Op,
  common: Pick<RegionTarget, 'params' | 'rowsOf' | 'isPanels' | 'probability'>,
) {
  const { ops, firstColumns } = fillCode(region, attention);
  const code = new RegionLowering(frame, {
    ...common,
    ops,
    firstColumns,
    results: attention.operands.slice(1),
    home: null,
  });
  code.run();
  append(attention, code);
  return code.kernels;
}

/** The type of what a region yields. */
export function yieldedType(region: Region): TensorType {
  const type = resultType(region);
  if (type === undefined) throw new Error(`internal: no value ${region.result}`);
  return type;
}

/** The product of known sizes. */
export function elementsOf(shape: readonly Dim[]): number {
  return shape.reduce<number>((product, dim) => product * Number(dim), 1);
}
