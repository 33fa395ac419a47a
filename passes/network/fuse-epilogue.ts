/**
 * @file Folds what follows a linear into it: a bias, an activation, a product, the residual sum.
 *
 *     %1 = linear(%0, @gate)
 *     %2 = silu(%1)
 *     %3 = linear(%0, @up)
 *     %4 = mul(%2, %3)                  %3 = linear(%0, @up)
 *     %5 = linear(%4, @down)            %4 = linear(%0, @gate, mul: %3) {act: "silu"}
 *     %6 = residual(%x, %5)       =>    %6 = linear(%4, @down, residual: %x)
 *
 * A linear computes residual + mul · act(… + bias); what comes in another order stays outside. Not: a linear that
 * something else reads too; a product with a constant, or with one row that is used for every row; `add` of two computed
 * values.
 */
import { activations, constsByName, isGlobal, sameType, useCounts } from '../../ir/index.ts';
import type { Const, Global, Local, Op, Ref, Region, TensorType } from '../../ir/index.ts';
import type { NetworkPass } from '../pass.ts';
import { extendLinear, mapRegions } from './rewrite.ts';

export const fuseEpilogue: NetworkPass = {
  name: 'fuse-epilogue',
  summary: 'Fold bias, activation, product and residual sum into the linear before them.',
  stage: 'network',
  run: (network) => {
    const consts = constsByName(network);
    return mapRegions(network, (region) => fuseRegion(region, consts));
  },
};

/** A linear and what it becomes when it takes its reader in. */
interface Absorption {
  readonly linear: Op;
  readonly fused: Op;
}

function fuseRegion(region: Region, consts: ReadonlyMap<Global, Const>): Region {
  const counts = useCounts(region);
  const ops = new Map<Local, Op>();
  const types = new Map<Ref, TensorType>(region.params.map(({ name, type }) => [name, type]));
  for (const { result, type } of region.ops) types.set(result, type);
  const linearAt = (ref: Ref | undefined): Op | undefined => {
    if (ref === undefined || isGlobal(ref) || counts.get(ref) !== 1) return undefined;
    const op = ops.get(ref);
    return op?.kind === 'linear' ? op : undefined;
  };
  for (const op of region.ops) {
    const absorption = absorb(op, { linearAt, types, consts });
    if (absorption !== undefined) ops.delete(absorption.linear.result);
    ops.set(op.result, absorption === undefined ? op : { ...absorption.fused, result: op.result, type: op.type });
  }
  return ops.size === region.ops.length ? region : { ...region, ops: [...ops.values()] };
}

interface Around {
  /** A linear of the region that only one op reads. */
  readonly linearAt: (ref: Ref | undefined) => Op | undefined;
  /** Of the region's values. */
  readonly types: ReadonlyMap<Ref, TensorType>;
  readonly consts: ReadonlyMap<Global, Const>;
}

function absorb(op: Op, around: Around): Absorption | undefined {
  if (activations.some((name) => name === op.kind)) return absorbActivation(op, around);
  if (op.kind === 'add') return absorbBias(op, around);
  if (op.kind === 'mul') return absorbProduct(op, around);
  return op.kind === 'residual' ? absorbResidual(op, around) : undefined;
}

function has(linear: Op, ...names: readonly string[]): boolean {
  return names.some((name) => name in linear.extras || name in linear.attrs);
}

function absorbActivation(op: Op, { linearAt }: Around): Absorption | undefined {
  const linear = linearAt(op.operands[0]);
  if (linear === undefined || has(linear, 'act', 'mul', 'residual')) return undefined;
  return { linear, fused: extendLinear(linear, { attrs: { act: op.kind } }) };
}

function absorbBias({ operands: [a, bias] }: Op, { linearAt, consts }: Around): Absorption | undefined {
  const linear = linearAt(a);
  if (linear === undefined || bias === undefined || has(linear, 'bias', 'act', 'mul', 'residual')) return undefined;
  if (!isGlobal(bias) || consts.get(bias)?.type.shape.length !== 1) return undefined;
  return { linear, fused: extendLinear(linear, { extras: { bias } }) };
}

/** Of two linears, the one with an activation takes the other's result. */
function absorbProduct({ operands: [a, b] }: Op, { linearAt, types }: Around): Absorption | undefined {
  const sides = [
    { linear: linearAt(a), mul: b },
    { linear: linearAt(b), mul: a },
  ];
  const fitting = sides.flatMap(({ linear, mul }) => {
    const type = mul === undefined ? undefined : types.get(mul);
    if (linear === undefined || mul === undefined || type === undefined || has(linear, 'mul', 'residual')) return [];
    if (!sameType(type, linear.type)) return [];
    return [{ linear, fused: extendLinear(linear, { extras: { mul } }) }];
  });
  return fitting.find(({ linear }) => has(linear, 'act')) ?? fitting[0];
}

function absorbResidual({ operands: [x, f] }: Op, { linearAt }: Around): Absorption | undefined {
  const linear = linearAt(f);
  if (linear === undefined || x === undefined || isGlobal(x) || has(linear, 'residual')) return undefined;
  return { linear, fused: extendLinear(linear, { extras: { residual: x } }) };
}
