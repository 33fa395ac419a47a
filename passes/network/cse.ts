/**
 * @file Computes equal things once: constants of the module, ops of a region.
 *
 *     %1 = relu(%0)
 *     %2 = relu(%0)           =>    %1 = relu(%0)
 *     %3 = mul(%1, %2)              %3 = mul(%1, %1)
 *
 * Not: ops with an effect, as attention, which writes to the KV cache. Ops of different regions are left alone.
 */
import { opSpecs } from '../../ir/index.ts';
import type { Const, Global, Network, Op, Ref, Region } from '../../ir/index.ts';
import type { NetworkPass } from '../pass.ts';
import { mapRegions, nodeKey, onGlobals, replaceConstReads, replaceReads, withConsts } from './rewrite.ts';

export const cse: NetworkPass = {
  name: 'cse',
  summary: 'Compute equal things once.',
  stage: 'network',
  run: (network) => {
    const { consts, replace } = uniqueConsts(network);
    return mapRegions(withConsts(network, consts), (region) => uniqueOps(region, onGlobals(replace)));
  },
};

function uniqueConsts(network: Network): {
  readonly consts: readonly Const[];
  readonly replace: (ref: Global) => Global;
} {
  const first = new Map<string, Global>();
  const replaced = new Map<Global, Global>();
  const replace = (ref: Global): Global => replaced.get(ref) ?? ref;
  const consts = network.consts.flatMap((original) => {
    const constant = replaceConstReads(original, replace);
    const key = nodeKey(constant);
    const equal = first.get(key);
    if (equal === undefined) {
      first.set(key, constant.name);
      return [constant];
    }
    replaced.set(constant.name, equal);
    return [];
  });
  return { consts: replaced.size === 0 ? network.consts : consts, replace };
}

function uniqueOps(region: Region, onGlobal: (ref: Ref) => Ref): Region {
  const first = new Map<string, Op>();
  const replaced = new Map<Ref, Op>();
  const replace = (ref: Ref): Ref => replaced.get(ref)?.result ?? onGlobal(ref);
  const ops = region.ops.flatMap((original) => {
    const op = replaceReads(original, replace);
    const key = nodeKey(op);
    const equal = opSpecs[op.kind].effect === true ? undefined : first.get(key);
    if (equal === undefined) {
      first.set(key, op);
      return [op];
    }
    replaced.set(op.result, equal);
    return [];
  });
  const same = ops.length === region.ops.length && ops.every((op, index) => op === region.ops[index]);
  return same ? region : { ...region, ops, result: replaced.get(region.result)?.result ?? region.result };
}
