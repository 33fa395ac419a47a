/** @file Tables of which token ids and positions select rows: who reads them, and how many ids a model knows. */
import { isGlobal } from './builder.ts';
import { IDS } from './kernel/control.ts';
import { isView } from './kernel/types.ts';
import type { BufferName, Kernel, KernelProgram } from './kernel/types.ts';
import { constsByName } from './network.ts';
import type { Global, Network, Op, Ref } from './types.ts';

/** Row `selector` + `offset` of `table`. */
export interface TableRead<Selector, Table> {
  readonly selector: Selector;
  readonly table: Table;
  readonly offset: number;
}

/** How an op reads a table; undefined when it reads none. Of the two tables of `rope`, which are alike, the first. */
export function tableReadOf({ kind, operands, attrs }: Op): TableRead<Ref, Ref> | undefined {
  const [first, second, third] = operands;
  const [selector, table] = kind === 'embed' ? [first, second] : kind === 'rope' ? [second, third] : [];
  return selector === undefined || table === undefined ? undefined : { selector, table, offset: offsetOf(attrs) };
}

/** The same of a kernel. */
export function kernelTableRead({ inputs, attrs }: Kernel): TableRead<BufferName, Global> | undefined {
  const [selector, table] = [inputs['ids'] ?? inputs['positions'], inputs['table'] ?? inputs['cos']];
  if (selector === undefined || table === undefined || !isView(selector) || isView(table)) return undefined;
  return { selector: selector.buffer, table: table.weight, offset: offsetOf(attrs) };
}

function offsetOf(attrs: Op['attrs']): number {
  return typeof attrs['offset'] === 'number' ? attrs['offset'] : 0;
}

/**
 * How many token ids a valid module knows: its tables have rows for the ids 0 … n - 1. Null when ids select no rows, as
 * in a model for images.
 */
export function vocabularyOf(module: Network | KernelProgram): number | null {
  const sizes = module.stage === 'network' ? networkSizes(module) : programSizes(module);
  return sizes.length === 0 ? null : sizes.reduce((least, size) => Math.min(least, size));
}

/** How many hops the hub of a valid network knows: its tables have rows for 0 … n - 1. Infinite when hops select no rows. */
export function hopsKnown({ hub, consts }: Network): number {
  const [, hops] = hub?.params ?? [];
  const types = constsByName({ consts });
  const sizes = (hub?.ops ?? []).flatMap((op) => {
    const read = tableReadOf(op);
    if (read === undefined || read.selector !== hops?.name || !isGlobal(read.table)) return [];
    return [Number(types.get(read.table)?.type.shape[0]) - read.offset];
  });
  return sizes.reduce((least, size) => Math.min(least, size), Infinity);
}

function networkSizes({ task, entry, consts }: Network): readonly number[] {
  const [ids] = task === 'causal-lm' ? entry.params : [];
  const types = constsByName({ consts });
  return entry.ops.flatMap((op) => {
    const read = tableReadOf(op);
    if (read === undefined || read.selector !== ids?.name || !isGlobal(read.table)) return [];
    return [Number(types.get(read.table)?.type.shape[0]) - read.offset];
  });
}

function programSizes({ bodies }: KernelProgram): readonly number[] {
  return bodies.flatMap(({ formals, kernels, fill }) => {
    const shapes = new Map(formals.map(({ name, shape }) => [name, shape]));
    return [...kernels, ...fill].flatMap((kernel) => {
      const read = kernelTableRead(kernel);
      return read?.selector === IDS ? [Number(shapes.get(read.table)?.[0]) - read.offset] : [];
    });
  });
}
