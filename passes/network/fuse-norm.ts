/**
 * @file Folds a norm into the linear that reads it.
 *
 *     %0 = rms_norm(%x, @g) {eps: 1e-5}
 *     %1 = linear(%0, @w)                  =>    %1 = linear(%x, @w, gain: @g) {norm: "rms", eps: 1e-5}
 *
 * Only when this linear is the norm's single reader, and reads it as x: several would each compute the norm again.
 */
import { useCounts } from '../../ir/index.ts';
import type { Op, Ref, Region } from '../../ir/index.ts';
import type { NetworkPass } from '../pass.ts';
import { extendLinear, mapRegions } from './rewrite.ts';

export const fuseNorm: NetworkPass = {
  name: 'fuse-norm',
  summary: 'Fold a norm into the linear that reads it.',
  stage: 'network',
  run: (network) => mapRegions(network, fuseRegion),
};

function fuseRegion(region: Region): Region {
  const counts = useCounts(region);
  const norms = new Map<Ref, Op>(region.ops.filter(isNorm).map((op) => [op.result, op]));
  const folded = new Set<Op>();
  const ops = region.ops.map((op) => {
    const norm = norms.get(op.operands[0] ?? '%');
    if (norm === undefined || op.kind !== 'linear' || 'norm' in op.attrs || counts.get(norm.result) !== 1) return op;
    folded.add(norm);
    return absorb(op, norm);
  });
  return folded.size === 0 ? region : { ...region, ops: ops.filter((op) => !folded.has(op)) };
}

function isNorm(op: Op): boolean {
  return op.kind === 'layer_norm' || op.kind === 'rms_norm';
}

function absorb(linear: Op, norm: Op): Op {
  const [x, gain, shift] = norm.operands;
  const [, weight] = linear.operands;
  if (x === undefined || gain === undefined || weight === undefined) {
    throw new Error('internal: a norm or linear lacks operands');
  }
  const attrs = { norm: norm.kind === 'layer_norm' ? 'layer' : 'rms', eps: norm.attrs['eps'] ?? 0 };
  const extras = shift === undefined ? { gain } : { gain, shift };
  return extendLinear({ ...linear, operands: [x, weight] }, { extras, attrs });
}
