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
import type { Const, Global, Network, Op, Region } from '../../ir/index.ts';
import type { NetworkPass } from '../pass.ts';
import { mapRegions, mapSame } from './rewrite.ts';

export const quantize: NetworkPass = {
  name: 'quantize',
  summary: 'Read weights as int8.',
  stage: 'network',
  run: (network, { options: { int8 } }) => (int8 === undefined ? network : quantized(network, int8)),
};

function quantized(network: Network, which: 'head' | 'all'): Network {
  const bodies = [network.entry, ...network.blocks.map(({ body }) => body), network.exit];
  const linears = linearsOf(which === 'all' ? bodies : [network.exit], constsByName(network));
  const shared = new Set(linears.flatMap(({ operands }) => operands.slice(1).filter(isGlobal)));
  const embeds = bodies
    .flatMap(({ ops }) => ops)
    .filter(({ kind, operands }) => kind === 'embed' && operands.some((ref) => isGlobal(ref) && shared.has(ref)));
  const narrow = new Set([...linears, ...embeds]);
  return mapRegions(network, (region) => {
    const ops = mapSame(region.ops, (op) => (narrow.has(op) ? asInt8(op) : op));
    return ops === region.ops ? region : { ...region, ops };
  });
}

/** Those whose rows are not too long for exact sums. */
function linearsOf(of: readonly Region[], consts: ReadonlyMap<Global, Const>): readonly Op[] {
  return of.flatMap(({ ops }) =>
    ops.filter(({ kind, operands: [, weight = '@'] }) => {
      const made = isGlobal(weight) ? consts.get(weight) : ops.find(({ result }) => result === weight);
      return kind === 'linear' && inputLevels(Number(made?.type.shape[1])) >= 1;
    }),
  );
}

function asInt8(op: Op): Op {
  return readsInt8(op) ? op : { ...op, attrs: { ...op.attrs, weights: 'int8' } };
}
