/**
 * @file Lets linears read their weights as int8, and the embedding whose table one of them reads.
 *
 *     %0 = embed(%ids, @embed)                      %0 = embed(%ids, @embed) {weights: "int8"}
 *     …                                             …
 *     %2 = linear(%1, @embed)                 =>    %2 = linear(%1, @embed) {weights: "int8"}
 *
 * `head`: those of the exit. `all`: those of entry, blocks and exit. Routers stay as they are: they are small, and decide.
 * A table that stays in use as f32 would be stored twice, so an embedding follows the linears that share it.
 */
import { isGlobal } from '../../ir/index.ts';
import type { Global, Network, Op, Region } from '../../ir/index.ts';
import type { NetworkPass } from '../pass.ts';
import { mapSame } from './rewrite.ts';

export const quantize: NetworkPass = {
  name: 'quantize',
  summary: 'Read weights as int8.',
  stage: 'network',
  run: (network, { options: { int8 } }) => (int8 === undefined ? network : quantized(network, int8)),
};

function quantized(network: Network, which: 'head' | 'all'): Network {
  const bodies = [network.entry, ...network.blocks.map(({ body }) => body)];
  const tables = new Set(
    [network.exit, ...(which === 'all' ? bodies : [])].flatMap(({ ops }) => ops.flatMap(weightOf)),
  );
  const narrow = (region: Region, linears: boolean): Region => {
    const ops = mapSame(region.ops, (op) => {
      const reads =
        op.kind === 'embed' ? tables.has((op.operands[1] ?? '@') as Global) : linears && weightOf(op).length > 0;
      return reads ? asInt8(op) : op;
    });
    return ops === region.ops ? region : { ...region, ops };
  };
  const entry = narrow(network.entry, which === 'all');
  const blocks = mapSame(network.blocks, (block) => {
    const body = narrow(block.body, which === 'all');
    return body === block.body ? block : { ...block, body };
  });
  const exit = narrow(network.exit, true);
  if (entry === network.entry && blocks === network.blocks && exit === network.exit) return network;
  return { ...network, entry: { ...entry, edge: network.entry.edge }, blocks, exit };
}

function weightOf({ kind, operands }: Op): readonly Global[] {
  return kind === 'linear' ? operands.slice(1).filter(isGlobal) : [];
}

function asInt8(op: Op): Op {
  return op.attrs['weights'] === 'int8' ? op : { ...op, attrs: { ...op.attrs, weights: 'int8' } };
}
