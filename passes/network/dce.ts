/**
 * @file Removes ops and constants that nothing reads.
 *
 *     %1 = relu(%0)
 *     %2 = tanh(%0)      =>    %1 = relu(%0)
 *     yield %1                 yield %1
 *
 * Not: ops with an effect (attention writes to the KV cache), and the residual sum, which every block has.
 */
import { globalsOf, opSpecs, regions, uses } from '../../ir/index.ts';
import type { Const, Global, Network, Op, Ref, Region } from '../../ir/index.ts';
import type { NetworkPass } from '../pass.ts';
import { mapRegions, withConsts } from './rewrite.ts';

export const dce: NetworkPass = {
  name: 'dce',
  summary: 'Remove what nothing reads.',
  stage: 'network',
  run: (network) => {
    const swept = mapRegions(network, sweepRegion);
    return withConsts(swept, liveConsts(swept));
  },
};

function sweepRegion(region: Region): Region {
  const live = new Set<Ref>([region.result]);
  for (const op of region.ops.toReversed()) {
    if (live.has(op.result) || mustStay(op)) for (const ref of [op.result, ...uses(op)]) live.add(ref);
  }
  const ops = region.ops.filter((op) => live.has(op.result));
  return ops.length === region.ops.length ? region : { ...region, ops };
}

function mustStay(op: Op): boolean {
  return opSpecs[op.kind].effect === true || op.kind === 'residual' || 'residual' in op.extras;
}

function liveConsts(network: Network): readonly Const[] {
  const live = new Set<Global>(regions(network).flatMap(globalsOf));
  for (const { name, operands } of network.consts.toReversed()) {
    if (live.has(name)) for (const ref of operands) live.add(ref);
  }
  const consts = network.consts.filter(({ name }) => live.has(name));
  return consts.length === network.consts.length ? network.consts : consts;
}
