/**
 * @file Lets linears read their weights as int8, and the embedding whose table one of them reads.
 *
 *     %0 = embed(%ids, @embed)                      %0 = embed(%ids, @embed) {weights: "int8"}
 *     …                                             …
 *     %2 = linear(%1, @embed)                 =>    %2 = linear(%1, @embed) {weights: "int8"}
 *
 * It comes before all passes that change constants or linears, so that what is rounded does not depend on them.
 * `head`: those of the exit. `all`: those of entry, blocks and exit. Routers stay as they are: they are small, and decide.
 * A table that stays in use as f32 would be stored twice, so an embedding follows the linears that share it.
 */
import { constsByName, inputLevels, isGlobal, readsInt8 } from '../../ir/index.ts';
import type { Network, Op, Ref, Region, TensorType } from '../../ir/index.ts';
import type { NetworkPass } from '../pass.ts';
import { mapSame } from './rewrite.ts';

export const quantize: NetworkPass = {
  name: 'quantize',
  summary: 'Read weights as int8.',
  stage: 'network',
  run: (network, { options: { int8 } }) => (int8 === undefined ? network : quantized(network, int8)),
};

function quantized(network: Network, which: 'head' | 'all'): Network {
  const consts = constsByName(network);
  const all = which === 'all';
  const bodies = all ? [network.entry, ...network.blocks.map(({ body }) => body)] : [];
  const isNarrow = (region: Region) => {
    const types = new Map<Ref, TensorType>(region.ops.map(({ result, type }) => [result, type]));
    return ({ kind, operands: [, weight = '@'] }: Op): boolean => {
      const columns = Number((consts.get(weight as `@${string}`) ?? { type: types.get(weight) }).type?.shape[1]);
      return kind === 'linear' && inputLevels(columns) >= 1;
    };
  };
  const shared = new Set(
    [...bodies, network.exit].flatMap((region) =>
      region.ops.filter(isNarrow(region)).flatMap(({ operands }) => operands.slice(1).filter(isGlobal)),
    ),
  );
  const narrow = <R extends Region>(region: R, linears: boolean): R => {
    const isLinear = linears ? isNarrow(region) : () => false;
    const isTable = ({ kind, operands }: Op): boolean =>
      kind === 'embed' && operands.slice(1).some((ref) => isGlobal(ref) && shared.has(ref));
    const ops = mapSame(region.ops, (op) => (isLinear(op) || isTable(op) ? asInt8(op) : op));
    return ops === region.ops ? region : { ...region, ops };
  };
  const entry = narrow(network.entry, all);
  const blocks = mapSame(network.blocks, (block) => {
    const body = narrow(block.body, all);
    return body === block.body ? block : { ...block, body };
  });
  const exit = narrow(network.exit, true);
  if (entry === network.entry && blocks === network.blocks && exit === network.exit) return network;
  return { ...network, entry, blocks, exit };
}

function asInt8(op: Op): Op {
  return readsInt8(op) ? op : { ...op, attrs: { ...op.attrs, weights: 'int8' } };
}
