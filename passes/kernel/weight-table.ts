/**
 * @file The weights of a program, in order of first use, each in the layout that its reader needs.
 *
 * A constant that a linear multiplies with is stored in panels, and an embedding reads it there too. Should something
 * else read it as well, in rows or in int8, that is stored besides, as a constant of its own.
 */
import { constsByName, isGlobal, readsInt8, regions, uses } from '../../ir/index.ts';
import type { Const, Global, Network, Op, Weight, WeightLayout } from '../../ir/index.ts';

export class WeightTable {
  readonly #consts: ReadonlyMap<Global, Const>;
  /** Of what linears multiply with in f32, and of what is read in int8 only. */
  readonly #panels: ReadonlySet<Global>;
  readonly #int8: ReadonlySet<Global>;
  readonly #weights = new Map<Global, Weight>();
  readonly #copies = new Map<Global, Const>();

  constructor(network: Network) {
    this.#consts = constsByName(network);
    const ops = regions(network).flatMap((region) => region.ops);
    const weightsOf = (readers: readonly Op[]): readonly Global[] =>
      readers.flatMap(({ operands }) => operands.slice(1).filter(isGlobal));
    const plain = ops.filter((op) => !readsInt8(op));
    const others = new Set([...plain.flatMap(uses), ...ops.flatMap(({ extras }) => Object.values(extras))]);
    this.#panels = new Set(weightsOf(plain.filter(({ kind }) => kind === 'linear')));
    this.#int8 = new Set(weightsOf(ops.filter(readsInt8)).filter((constant) => !others.has(constant)));
  }

  readonly isPanels = (constant: Global): boolean => this.#panels.has(constant);

  shape(constant: Global): readonly number[] {
    return this.#find(constant).type.shape.map(Number);
  }

  /** The weight to pass for a constant in a layout. */
  use(constant: Global, layout: WeightLayout): Global {
    const name = layout === this.#home(constant) ? constant : this.#copy(constant, layout);
    if (!this.#weights.has(name)) this.#weights.set(name, { name, shape: this.shape(constant), layout, at: null });
    return name;
  }

  list(): readonly Weight[] {
    return [...this.#weights.values()];
  }

  /** The constants that the weights are made of, in order. */
  consts(): readonly Const[] {
    const needed = new Set<Global>(this.#weights.keys());
    // A set goes on to what is added while it is walked.
    for (const name of needed) for (const operand of this.#find(name).operands) needed.add(operand);
    return [...this.#consts.values(), ...this.#copies.values()].filter(({ name }) => needed.has(name));
  }

  #find(name: Global): Const {
    const found = this.#consts.get(name) ?? this.#copies.get(name);
    if (found === undefined) throw new Error(`internal: no constant ${name}`);
    return found;
  }

  /** The layout under whose weight the constant has its own name: never the rounded one where someone reads the numbers. */
  #home(constant: Global): WeightLayout {
    return this.isPanels(constant) ? 'panels' : this.#int8.has(constant) ? 'int8' : 'rows';
  }

  #copy(constant: Global, layout: WeightLayout): Global {
    const { type } = this.#find(constant);
    let name: Global = `${constant}.${layout}`;
    while (this.#consts.has(name)) name = `${name}_`;
    this.#copies.set(name, {
      name,
      kind: 'reshape',
      operands: [constant],
      attrs: { shape: this.shape(constant) },
      type,
    });
    return name;
  }
}
