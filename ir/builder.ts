/**
 * @file Builds regions and networks with inferred types.
 *
 * What it is given comes from our own code, so a mistake is a bug: it throws `internal:`. Text from others goes through
 * the parser, which reports diagnostics.
 */
import { opSpecs } from './ops/table.ts';
import type { OpKind } from './ops/table.ts';
import type { Attrs, Const, Global, Local, Op, Param, Ref, Region, TensorType } from './types.ts';

export interface OpOptions {
  readonly extras?: Readonly<Record<string, Ref | undefined>>;
  readonly attrs?: Readonly<Record<string, Attrs[string] | undefined>>;
  /** Only for ops whose type is written down. */
  readonly type?: TensorType;
}

/** Constants in the order in which they were added. */
export class ConstBuilder {
  readonly #consts = new Map<Global, Const>();

  add(name: string, kind: OpKind, operands: readonly Global[], options: OpOptions = {}): Global {
    const ref: Global = `@${name}`;
    if (this.#consts.has(ref)) throw new Error(`internal: constant ${ref} exists`);
    const attrs = present(options.attrs ?? {});
    const type = inferType(
      kind,
      operands.map((operand) => this.type(operand)),
      {},
      attrs,
      options.type,
    );
    this.#consts.set(ref, { name: ref, kind, operands, attrs, type });
    return ref;
  }

  /** A tensor of the checkpoint; `name` is its name there. */
  tensor(ref: string, name: string, shape: readonly number[]): Global {
    return this.add(ref, 'tensor', [], { attrs: { name }, type: { dtype: 'f32', shape } });
  }

  type(ref: Global): TensorType {
    const found = this.#consts.get(ref);
    if (found === undefined) throw new Error(`internal: no constant ${ref}`);
    return found.type;
  }

  list(): readonly Const[] {
    return [...this.#consts.values()];
  }
}

/** One region, in order; results are named %0, %1, … */
export class RegionBuilder {
  readonly #params: readonly Param[];
  readonly #types: Map<Ref, TensorType>;
  readonly #globals: (ref: Global) => TensorType;
  readonly #ops: Op[] = [];

  constructor(params: readonly Param[], globals: (ref: Global) => TensorType) {
    this.#params = params;
    this.#types = new Map(params.map((param) => [param.name, param.type]));
    this.#globals = globals;
  }

  op(kind: OpKind, operands: readonly Ref[], options: OpOptions = {}): Local {
    const extras = present(options.extras ?? {});
    const attrs = present(options.attrs ?? {});
    const extraTypes = Object.fromEntries(Object.entries(extras).map(([name, ref]) => [name, this.type(ref)]));
    const type = inferType(
      kind,
      operands.map((ref) => this.type(ref)),
      extraTypes,
      attrs,
      options.type,
    );
    const result: Local = `%${this.#ops.length}`;
    this.#ops.push({ kind, operands, extras, attrs, result, type });
    this.#types.set(result, type);
    return result;
  }

  type(ref: Ref): TensorType {
    const type = isGlobal(ref) ? this.#globals(ref) : this.#types.get(ref);
    if (type === undefined) throw new Error(`internal: no value ${ref}`);
    return type;
  }

  finish(result: Local): Region {
    return { params: this.#params, ops: this.#ops, result };
  }
}

export function isGlobal(ref: Ref): ref is Global {
  return ref.startsWith('@');
}

function present<T>(record: Readonly<Record<string, T | undefined>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).filter((entry): entry is [string, T] => entry[1] !== undefined));
}

function inferType(
  kind: OpKind,
  operands: readonly TensorType[],
  extras: Readonly<Record<string, TensorType>>,
  attrs: Attrs,
  declared: TensorType | undefined,
): TensorType {
  const type = opSpecs[kind].infer({ operands, extras, attrs, declared });
  if (typeof type === 'string') throw new Error(`internal: ${kind}: ${type}`);
  return type;
}
