/** @file The steps that the families share when they write their network: weights to constants, regions, the chain of blocks. */
import { ConstBuilder, f32, i32, RegionBuilder } from '../../../ir/index.ts';
import type { Block, Global, Local, Network, OpKind, OpOptions, Param, Ref, Region, Task } from '../../../ir/index.ts';
import type { Dense, Norm, TensorSpec } from './tensors.ts';

/** A linear map as constants; the weight is [out, in]. */
export interface DenseRefs {
  readonly weight: Global;
  readonly bias: Global | undefined;
}

/** The constants of one network; each tensor becomes a constant when it is first asked for. */
export class ModelBuilder {
  readonly consts = new ConstBuilder();
  readonly #known = new Map<string, Global>();

  weight(spec: TensorSpec): Global {
    return this.once(spec.ref, () => this.consts.tensor(spec.ref, spec.name, spec.shape));
  }

  dense(dense: Dense): DenseRefs {
    return { weight: this.weight(dense.weight), bias: dense.bias === undefined ? undefined : this.weight(dense.bias) };
  }

  /** A vector that holds one number. */
  full(ref: string, width: number, value: number): Global {
    return this.once(ref, () => this.consts.add(ref, 'full', [], { attrs: { value }, type: f32(width) }));
  }

  /** The first `rows` rows of a table. */
  rows(spec: TensorSpec, rows: number): Global {
    const table = this.weight(spec);
    if (rows === spec.shape[0]) return table;
    const attrs = { axis: 0, from: 0, to: rows };
    return this.once(`${spec.ref}.used`, () => this.consts.add(`${spec.ref}.used`, 'slice', [table], { attrs }));
  }

  /** Adds the constant `ref` unless it is there. */
  once(ref: string, add: () => Global): Global {
    const global = this.#known.get(ref) ?? add();
    this.#known.set(ref, global);
    return global;
  }

  region(params: readonly Param[]): BodyBuilder {
    return new BodyBuilder(this, params);
  }

  /** The region of a block or of the exit: its hidden state is `%x` (tokens, width). */
  body(width: number, options: { readonly positions: boolean }): BodyBuilder {
    const x: Param = { name: '%x', type: f32('tokens', width) };
    return this.region(options.positions ? [x, POSITIONS] : [x]);
  }
}

export const X: Local = '%x';
export const POSITIONS: Param = { name: '%positions', type: i32('tokens') };
export const IDS: Param = { name: '%ids', type: i32('tokens') };

/** One region under construction. */
export class BodyBuilder {
  readonly #model: ModelBuilder;
  readonly #region: RegionBuilder;

  constructor(model: ModelBuilder, params: readonly Param[]) {
    this.#model = model;
    this.#region = new RegionBuilder(params, (ref) => model.consts.type(ref));
  }

  op(kind: OpKind, operands: readonly Ref[], options: OpOptions = {}): Local {
    return this.#region.op(kind, operands, options);
  }

  linear(x: Ref, dense: DenseRefs): Local {
    return this.op('linear', [x, dense.weight], { extras: { bias: dense.bias } });
  }

  /** A layer norm; without tensors of its own, one of gain 1 and shift 0. */
  layerNorm(x: Ref, norm: Norm | undefined, options: { readonly eps: number; readonly width: number }): Local {
    const model = this.#model;
    const gain = norm === undefined ? model.full('ones', options.width, 1) : model.weight(norm.gain);
    const shift = norm?.shift === undefined ? model.full('zeros', options.width, 0) : model.weight(norm.shift);
    return this.op('layer_norm', [x, gain, shift], { attrs: { eps: options.eps } });
  }

  rmsNorm(x: Ref, norm: Norm, eps: number): Local {
    return this.op('rms_norm', [x, this.#model.weight(norm.gain)], { attrs: { eps } });
  }

  finish(result: Local): Region {
    return this.#region.finish(result);
  }
}

export interface SequentialParts {
  readonly name: string;
  readonly task: Task;
  readonly context: number;
  readonly entry: Region;
  /** Attention and MLP of layer 0, of layer 1, … */
  readonly bodies: readonly Region[];
  readonly exit: Region;
}

/** The network in which every block has one successor: entry → ^0 → ^1 → … → exit. */
export function sequentialNetwork(model: ModelBuilder, parts: SequentialParts): Network {
  const { name, task, context, entry, bodies, exit } = parts;
  const blocks = bodies.map((body, id): Block => {
    const next = id + 1 < bodies.length ? id + 1 : 'exit';
    return { id, role: id % 2 === 0 ? 'attention' : 'mlp', body, edge: { router: null, successors: [next] } };
  });
  return {
    stage: 'network',
    name,
    task,
    context,
    routing: { kv: 'absent', revisit: 'overwrite', maxHops: blocks.length },
    consts: model.consts.list(),
    entry: { ...entry, edge: { router: null, successors: [blocks.length > 0 ? 0 : 'exit'] } },
    blocks,
    exit,
  };
}
