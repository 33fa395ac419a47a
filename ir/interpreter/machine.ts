/** @file A sequence that is being interpreted: its network, its constants, and what its tokens have left. */
import type { Block, BlockId, Edge, Network } from '../types.ts';
import type { WeightSource } from '../weights.ts';
import type { KvCache } from './kv.ts';
import type { RegionRun } from './region.ts';
import type { Tensor } from './tensor.ts';
import type { RunOptions } from './types.ts';

export interface Machine {
  readonly network: Network;
  readonly constant: RegionRun['constant'];
  readonly source: WeightSource;
  readonly cache: KvCache;
  readonly options: RunOptions;
}

/** The region on these arguments; it must not attend. */
export function at(machine: Machine, region: RegionRun['region'], args: readonly Tensor[]): RegionRun {
  const attend = (): never => {
    throw new Error('internal: attention outside a block');
  };
  return { region, args, constant: machine.constant, around: { source: machine.source, attend } };
}

export function edgeOf(network: Network, from: BlockId | 'entry'): Edge {
  return from === 'entry' ? network.entry.edge : blockOf(network, from).edge;
}

export function blockOf(network: Network, id: BlockId): Block {
  const block = network.blocks.find((candidate) => candidate.id === id);
  if (block === undefined) throw new Error(`internal: no block ^${id}`);
  return block;
}
