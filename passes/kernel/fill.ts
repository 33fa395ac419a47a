/**
 * @file What a token does at an attention block that it passes over under KV policy `project`: the ops on which the
 * block's k and v depend.
 *
 * Of a linear that makes q, k and v at once, only the columns from k on are computed, rounded down to a whole panel.
 */
import { numberAttr, PANEL, uses } from '../../ir/index.ts';
import type { Op, Ref, Region } from '../../ir/index.ts';

export interface FillCode {
  readonly ops: readonly Op[];
  readonly firstColumns: ReadonlyMap<Ref, number>;
}

export function fillCode(region: Region, attention: Op): FillCode {
  const [, k, v] = attention.operands;
  const needed = new Set<Ref>([k, v].filter((ref) => ref !== undefined));
  for (const op of region.ops.toReversed()) {
    if (needed.has(op.result)) for (const ref of uses(op)) needed.add(ref);
  }
  const ops = region.ops.filter((op) => needed.has(op.result));
  const readers = [...ops, { ...attention, operands: attention.operands.slice(1) }];
  const firstColumns = ops
    .filter((op) => op.kind === 'linear' && !('mul' in op.extras) && !('residual' in op.extras))
    .map((op) => [op.result, firstColumn(op, readers)] as const);
  return { ops, firstColumns: new Map(firstColumns.filter(([, first]) => first > 0)) };
}

function firstColumn(op: Op, readers: readonly Op[]): number {
  const froms = readers
    .filter((reader) => uses(reader).includes(op.result))
    .map((reader) => (reader.kind === 'slice' && reader.attrs['axis'] === 1 ? numberAttr(reader.attrs, 'from') : 0));
  const first = froms.reduce((least, from) => Math.min(least, from), Infinity);
  return first - (first % PANEL);
}
