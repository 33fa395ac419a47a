/** @file Runs the straight-line code of a region. */
import { isGlobal } from '../builder.ts';
import { residualOp, uses } from '../network.ts';
import type { Block, Global, Op, Ref, Region } from '../types.ts';
import { evaluate } from './evaluate.ts';
import type { Surroundings } from './evaluate.ts';
import { mapTensor } from './tensor.ts';
import type { Tensor } from './tensor.ts';

export interface RegionRun {
  readonly region: Region;
  readonly args: readonly Tensor[];
  readonly constant: (name: Global) => Tensor;
  readonly around: Surroundings;
}

/** The values of `wanted`, of which only what they depend on is computed. */
export function runRegion(run: RegionRun, wanted: readonly Ref[]): readonly Tensor[] {
  const values = new Map<Ref, Tensor>();
  run.region.params.forEach((param, i) => {
    const value = run.args[i];
    if (value !== undefined) values.set(param.name, value);
  });
  const read = (ref: Ref): Tensor => {
    const value = isGlobal(ref) ? run.constant(ref) : values.get(ref);
    if (value === undefined) throw new Error(`internal: no value ${ref}`);
    return value;
  };
  const needed = dependencies(run.region, wanted);
  for (const op of run.region.ops) {
    if (needed.has(op.result)) values.set(op.result, runOp(op, read, run.around));
  }
  return wanted.map(read);
}

/** What the branch of a block adds to the hidden state: `f`, for observers. */
export function branchOutput(run: RegionRun, block: Block): Tensor {
  const op = residualOp(block);
  if (op === undefined) throw new Error(`internal: block ^${block.id} has no residual`);
  const [, f] = op.operands;
  if (op.kind === 'residual' && f !== undefined) return only(runRegion(run, [f]));
  const { residual: _, ...extras } = op.extras;
  const branch: Op = { ...op, extras };
  const region: Region = {
    ...run.region,
    ops: run.region.ops.map((other) => (other === op ? branch : other)),
    result: op.result,
  };
  return only(runRegion({ ...run, region }, [op.result]));
}

export function only(values: readonly Tensor[]): Tensor {
  const [value] = values;
  if (value === undefined) throw new Error('internal: a region without a result');
  return value;
}

/** A copy: the interpreter never lets two owners share numbers. */
export function copyOf(x: Tensor): Tensor {
  return mapTensor(x, (value) => value);
}

function runOp(op: Op, read: (ref: Ref) => Tensor, around: Surroundings): Tensor {
  const extras = Object.fromEntries(Object.entries(op.extras).map(([name, ref]) => [name, read(ref)]));
  return evaluate(op.kind, { operands: op.operands.map(read), extras, attrs: op.attrs, type: op.type, around });
}

function dependencies(region: Region, wanted: readonly Ref[]): ReadonlySet<Ref> {
  const needed = new Set<Ref>(wanted);
  for (const op of region.ops.toReversed()) {
    if (needed.has(op.result)) for (const ref of uses(op)) needed.add(ref);
  }
  return needed;
}
