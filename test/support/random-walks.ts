/** @file Random walks that a network's edges allow. */
import type { BlockId, Network } from '../../ir/types.ts';
import { Draw } from './draw.ts';

/**
 * A walk for each of `tokens` tokens: every step takes one of the successors; it ends at the exit or at the hop cap.
 * Without a router, the first successor is the only choice.
 */
export function randomWalks(network: Network, tokens: number, seed: number): readonly (readonly BlockId[])[] {
  const draw = new Draw(seed);
  const edges = new Map(network.blocks.map((block) => [block.id, block.edge]));
  return Array.from({ length: tokens }, () => {
    const walk: BlockId[] = [];
    let { edge } = network.entry;
    while (walk.length < network.routing.maxHops) {
      const next = edge.successors[draw.int(0, edge.successors.length - 1)] ?? 'exit';
      const following = next === 'exit' ? undefined : edges.get(next);
      if (next === 'exit' || following === undefined) break;
      walk.push(next);
      edge = following;
    }
    return walk;
  });
}
