/** @file What a network costs, by its op table: floating-point operations and weights of each region. */
import { constsByName, elements, globalsOf, isGlobal, opSpecs, readsInt8, regions, uses } from '../../ir/index.ts';
import type { BlockId, Const, Global, Load, Network, Op, Ref, Region, TensorType } from '../../ir/index.ts';

const FLOAT_BYTES = Float32Array.BYTES_PER_ELEMENT;

export interface RegionCost {
  /** A multiply and an add count as two. */
  readonly flops: number;
  /** Numbers in the constants that the region reads, each constant once. */
  readonly parameters: number;
  /** Of these numbers in f32; in int8, with a scale for each row, where the region reads them so. */
  readonly weightBytes: number;
}

export interface BlockCost extends RegionCost {
  readonly id: BlockId;
  readonly role: 'attention' | 'mlp';
  /** Of scoring a token that tries the block, whether or not it is let in. */
  readonly gate: RegionCost | null;
}

export interface NetworkCost {
  readonly entry: RegionCost;
  /** Of each decision. */
  readonly hub: RegionCost | null;
  readonly blocks: readonly BlockCost[];
  readonly exit: RegionCost;
  /** Flops of a walk through every block once, with its decisions; constants that regions share count once. */
  readonly total: RegionCost;
}

/** Cost of a load: by default of one token that attends to itself only. */
export function costOf(network: Network, load: Load = { rows: 1, cached: 1 }): NetworkCost {
  const consts = constsByName(network);
  const cost = (region: Region): RegionCost => ({
    flops: flopsOf(region, consts, load),
    ...weightsOf([region], consts),
  });
  const entry = cost(network.entry);
  const blocks = network.blocks.map(({ id, role, gate, body }): BlockCost => ({
    id,
    role,
    gate: gate === undefined ? null : cost(gate),
    ...cost(body),
  }));
  const exit = cost(network.exit);
  const hub = network.hub === undefined ? null : cost(network.hub);
  const decisions = [...blocks.map(({ gate }) => gate?.flops ?? 0), (blocks.length + 1) * (hub?.flops ?? 0)];
  const flops =
    [entry, ...blocks, exit].reduce((sum, region) => sum + region.flops, 0) + decisions.reduce((a, b) => a + b, 0);
  return { entry, hub, blocks, exit, total: { flops, ...weightsOf(regions(network), consts) } };
}

/** What is read in both formats is stored in both. */
function weightsOf(of: readonly Region[], consts: ReadonlyMap<Global, Const>): Omit<RegionCost, 'flops'> {
  const ops = of.flatMap((region) => region.ops);
  const weightReadBy = (op: Op): readonly Global[] => (readsInt8(op) ? op.operands.slice(1).filter(isGlobal) : []);
  const int8 = new Set(ops.flatMap(weightReadBy));
  const others = new Set(
    ops.flatMap((op) => uses(op).filter((ref) => isGlobal(ref) && !weightReadBy(op).includes(ref))),
  );
  let [parameters, weightBytes] = [0, 0];
  for (const name of new Set(of.flatMap(globalsOf))) {
    const type = consts.get(name)?.type;
    if (type === undefined) continue;
    const numbers = elements(type, 0);
    parameters += numbers;
    if (int8.has(name)) weightBytes += numbers + FLOAT_BYTES * Number(type.shape[0]);
    if (others.has(name)) weightBytes += FLOAT_BYTES * numbers;
  }
  return { parameters, weightBytes };
}

function flopsOf(region: Region, consts: ReadonlyMap<Global, Const>, load: Load): number {
  const types = new Map<Ref, TensorType>();
  for (const { name, type } of region.params) types.set(name, type);
  for (const { result, type } of region.ops) types.set(result, type);
  const typeOf = (ref: Ref): TensorType => {
    const type = isGlobal(ref) ? consts.get(ref)?.type : types.get(ref);
    if (type === undefined) throw new Error(`internal: no type of ${ref}`);
    return type;
  };
  return region.ops.reduce((sum, op) => sum + flopsOfOp(op, typeOf, load), 0);
}

function flopsOfOp({ kind, operands, extras, attrs, type }: Op, typeOf: (ref: Ref) => TensorType, load: Load): number {
  const extraTypes = Object.fromEntries(Object.entries(extras).map(([name, ref]) => [name, typeOf(ref)]));
  return opSpecs[kind].flops({ operands: operands.map(typeOf), extras: extraTypes, attrs, declared: type }, load);
}
