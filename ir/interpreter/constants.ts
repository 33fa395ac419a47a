/** @file Evaluates constants, each once. */
import type { Const, Global } from '../types.ts';
import type { WeightSource } from '../weights.ts';
import { evaluate } from './evaluate.ts';
import type { Tensor } from './tensor.ts';

/** A function from a constant's name to its value; values are kept. Not recursive: chains of constants may be long. */
export function createConstants(consts: readonly Const[], source: WeightSource): (name: Global) => Tensor {
  const byName = new Map(consts.map((constant) => [constant.name, constant]));
  const values = new Map<Global, Tensor>();
  const attend = (): never => {
    throw new Error('internal: attention in a constant');
  };
  const compute = ({ kind, operands, attrs, type }: Const): Tensor => {
    const inputs = operands.flatMap((name) => values.get(name) ?? []);
    return evaluate(kind, { operands: inputs, extras: {}, attrs, type, around: { source, attend } });
  };
  return (name) => {
    const waiting: Global[] = [name];
    for (let top = waiting.at(-1); top !== undefined; top = waiting.at(-1)) {
      const constant = byName.get(top);
      if (constant === undefined) throw new Error(`internal: no constant ${top}`);
      const missing = values.has(top) ? [] : constant.operands.filter((operand) => !values.has(operand));
      for (const operand of missing) waiting.push(operand);
      if (missing.length > 0) continue;
      if (!values.has(top)) values.set(top, compute(constant));
      waiting.pop();
    }
    const value = values.get(name);
    if (value === undefined) throw new Error(`internal: no value of ${name}`);
    return value;
  };
}
