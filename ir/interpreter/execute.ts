/** @file What a token does at a block: it executes it, or passes it over and leaves what the KV policy says. */
import type { Block, BlockId, Op } from '../types.ts';
import type { Surroundings } from './evaluate.ts';
import { attendTo, entriesOf, writeExecuted, writeFilled } from './kv.ts';
import type { Entry } from './kv.ts';
import { at, blockOf } from './machine.ts';
import type { Machine } from './machine.ts';
import { branchOutput, only, runRegion } from './region.ts';
import type { RegionRun } from './region.ts';
import { copyRow, rowOf, tensor } from './tensor.ts';
import type { Tensor } from './tensor.ts';

/** A row that comes to a block. */
export interface Arrival {
  readonly position: number;
  /** By which its branch is scaled. */
  readonly probability: number;
}

/** Runs a block's body on rows; in a causal network there is one. */
export function execute(machine: Machine, block: Block, x: Tensor, arrivals: readonly Arrival[]): Tensor {
  const { network, cache, options } = machine;
  const positions = arrivals.map(({ position }) => position);
  let context: Tensor | undefined;
  const attend: Surroundings['attend'] = (q, k, v, attrs) => {
    const entries = entriesOf(cache, block.id);
    positions.forEach((position, r) => {
      const entry = { position, k: rowOf(k, r), v: rowOf(v, r) };
      writeExecuted(entries, entry, network.routing.revisit);
      tellKv(machine, block, entry);
    });
    entries.sort((a, b) => a.position - b.position);
    context = attendTo(q, entries, attrs);
    return context;
  };
  const run: RegionRun = {
    ...at(machine, block.body, [x, positionTensor(positions)]),
    around: { source: machine.source, attend, probability: (r) => arrivals[r]?.probability ?? NaN },
  };
  const out = only(runRegion(run, [block.body.result]));
  if (options.onBlock !== undefined) {
    const again = { ...run, around: { ...run.around, attend: (): Tensor => context ?? out } };
    const f = branchOutput(again, block);
    positions.forEach((position, r) => {
      options.onBlock?.({ block: block.id, position, x: copyRow(x, r), f: copyRow(f, r), out: copyRow(out, r) });
    });
  }
  return out;
}

/** What a token leaves at an attention block that it passes over; `interpreter.ts` defines it. */
export function fill(machine: Machine, block: Block, x: Tensor, position: number, path: readonly BlockId[]): void {
  const { network, cache } = machine;
  if (network.routing.kv === 'project') {
    const [k, v] = projected(machine, block, x, [position]);
    writeFilled(entriesOf(cache, block.id), { position, k: k.data, v: v.data });
    tellKv(machine, block, { position, k: k.data, v: v.data });
  } else if (network.routing.kv === 'latest') {
    const source = path.findLast((id) => id < block.id && blockOf(network, id).role === 'attention');
    const entry = source === undefined ? undefined : entriesOf(cache, source).findLast((e) => e.position === position);
    if (entry === undefined) return;
    writeFilled(entriesOf(cache, block.id), { position, k: entry.k, v: entry.v });
    tellKv(machine, block, entry);
  }
}

function tellKv({ options }: Machine, { id }: Block, { position, k, v }: Omit<Entry, 'filled'>): void {
  options.onKv?.({ block: id, position, k: Float32Array.from(k), v: Float32Array.from(v) });
}

/** The k and v that an attention block makes of x. */
function projected(machine: Machine, block: Block, x: Tensor, positions: readonly number[]): [Tensor, Tensor] {
  const { operands } = attentionOf(block);
  const [, k, v] = operands;
  if (k === undefined || v === undefined) throw new Error(`internal: attention without k and v in block ^${block.id}`);
  const [kValue, vValue] = runRegion(at(machine, block.body, [x, positionTensor(positions)]), [k, v]);
  if (kValue === undefined || vValue === undefined) throw new Error('internal: no k or v');
  return [kValue, vValue];
}

function attentionOf(block: Block): Op {
  const op = block.body.ops.find(({ kind }) => kind === 'attention');
  if (op === undefined) throw new Error(`internal: block ^${block.id} has no attention`);
  return op;
}

function positionTensor(positions: readonly number[]): Tensor {
  return tensor([positions.length], Int32Array.from(positions));
}
