/**
 * @file Removes blocks that no path from the entry reaches; their weights go with dce.
 *
 *     entry … -> ^1
 *     block ^0 … -> ^1          entry … -> ^1
 *     block ^1 … -> exit   =>   block ^1 … -> exit
 *
 * The others keep their numbers. A block that only an unreachable block leads to goes as well, and so do gates and a hub
 * that no edge asks.
 */
import { askedRouters } from '../../ir/index.ts';
import type { Block, Network, Successor } from '../../ir/index.ts';
import type { NetworkPass } from '../pass.ts';
import { mapSame } from './rewrite.ts';

export const pruneUnreachable: NetworkPass = {
  name: 'prune-unreachable',
  summary: 'Remove blocks that no path from the entry reaches.',
  stage: 'network',
  run: (network) => {
    const reached = reachable(network);
    const blocks = network.blocks.filter(({ id }) => reached.has(id));
    return withoutIdleRouters(blocks.length === network.blocks.length ? network : { ...network, blocks });
  },
};

function withoutIdleRouters(network: Network): Network {
  const asked = askedRouters(network);
  const blocks = mapSame(network.blocks, (block) => {
    if (block.gate === undefined || asked.gates.has(block.id)) return block;
    const { gate: _gate, ...rest } = block;
    return rest;
  });
  const { hub, ...others } = network;
  if (hub === undefined || asked.hub) return blocks === network.blocks ? network : { ...network, blocks };
  return { ...others, blocks };
}

function reachable(network: Network): ReadonlySet<Successor> {
  const byId = new Map<Successor, Block>(network.blocks.map((block) => [block.id, block]));
  const reached = new Set<Successor>(network.entry.edge.successors);
  // A set iterates over what is added on the way.
  for (const id of reached) {
    for (const successor of byId.get(id)?.edge.successors ?? []) reached.add(successor);
  }
  return reached;
}
