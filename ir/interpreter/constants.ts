/** @file Evaluates constants, each once. */
import type { Const, Global } from '../types.ts';
import type { WeightSource } from '../weights.ts';
import { evaluate } from './evaluate.ts';
import type { Tensor } from './tensor.ts';

/** A function from a constant's name to its value; values are kept. */
export function createConstants(consts: readonly Const[], source: WeightSource): (name: Global) => Tensor {
  const byName = new Map(consts.map((constant) => [constant.name, constant]));
  const values = new Map<Global, Tensor>();
  const attend = (): never => {
    throw new Error('internal: attention in a constant');
  };
  const valueOf = (name: Global): Tensor => {
    const known = values.get(name);
    if (known !== undefined) return known;
    const constant = byName.get(name);
    if (constant === undefined) throw new Error(`internal: no constant ${name}`);
    const operands = constant.operands.map(valueOf);
    const { attrs, type } = constant;
    const value = evaluate(constant.kind, { operands, extras: {}, attrs, type, around: { source, attend } });
    values.set(name, value);
    return value;
  };
  return valueOf;
}
