/** @file Questions that everyone asks of a network. */
import { isGlobal } from './builder.ts';
import type { Block, Const, Global, Network, Op, Ref, Region, TensorType } from './types.ts';

export function constsByName(network: { readonly consts: readonly Const[] }): ReadonlyMap<Global, Const> {
  return new Map(network.consts.map((constant) => [constant.name, constant]));
}

/** All regions: entry, hub, gate and body of each block in order, exit. */
export function regions({ entry, hub, blocks, exit }: Network): readonly Region[] {
  const ofBlocks = blocks.flatMap(({ gate, body }) => (gate === undefined ? [body] : [gate, body]));
  return [entry, ...(hub === undefined ? [] : [hub]), ...ofBlocks, exit];
}

/** The type of what a region yields, or undefined where that is not defined in it. */
export function resultType({ params, ops, result }: Region): TensorType | undefined {
  return (ops.findLast((op) => op.result === result) ?? params.find(({ name }) => name === result))?.type;
}

/** Everything an op reads: operands, then extras in their written order. */
export function uses(op: Op): readonly Ref[] {
  return [...op.operands, ...Object.values(op.extras)];
}

/** How often each value of the region is read in it; its result counts as one use. */
export function useCounts(region: Region): ReadonlyMap<Ref, number> {
  const counts = new Map<Ref, number>([[region.result, 1]]);
  for (const op of region.ops) {
    for (const ref of uses(op)) counts.set(ref, (counts.get(ref) ?? 0) + 1);
  }
  return counts;
}

/** Constants that a region reads directly. */
export function globalsOf(region: Region): readonly Global[] {
  return region.ops.flatMap((op) => uses(op).filter(isGlobal));
}

/** The op that adds the branch to the hidden state: `residual`, or a `linear` that has absorbed one. */
export function residualOp(block: Block): Op | undefined {
  return block.body.ops.find((op) => op.kind === 'residual' || 'residual' in op.extras);
}
