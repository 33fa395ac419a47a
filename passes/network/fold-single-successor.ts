/**
 * @file Takes the router from an edge that leads to one place only.
 *
 *     block ^0 … -> external [^1]     =>     block ^0 … -> ^1
 *
 * Not: an edge that names several places, even if they are alike.
 */
import type { Edge } from '../../ir/index.ts';
import type { NetworkPass } from '../pass.ts';
import { mapSame } from './rewrite.ts';

export const foldSingleSuccessor: NetworkPass = {
  name: 'fold-single-successor',
  summary: 'Make edges with one successor unconditional.',
  stage: 'network',
  run: (network) => {
    const edge = foldEdge(network.entry.edge);
    const entry = edge === network.entry.edge ? network.entry : { ...network.entry, edge };
    const blocks = mapSame(network.blocks, (block) => {
      const folded = foldEdge(block.edge);
      return folded === block.edge ? block : { ...block, edge: folded };
    });
    return entry === network.entry && blocks === network.blocks ? network : { ...network, entry, blocks };
  },
};

function foldEdge(edge: Edge): Edge {
  return edge.router !== null && new Set(edge.successors).size === 1
    ? { router: null, successors: edge.successors.slice(0, 1) }
    : edge;
}
