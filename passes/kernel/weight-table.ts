/**
 * @file The weights of a program, in order of first use, each in the layout that its reader needs.
 *
 * A constant that a linear multiplies with is stored in panels, and an embedding reads it there too. Should something
 * else read it as well, in rows or in int8, that is stored besides, as a constant of its own.
 */
import { constsByName, isGlobal, regions } from '../../ir/index.ts';
import type { Const, Global, Network, Op, Weight, WeightLayout } from '../../ir/index.ts';

export class WeightTable {
  readonly #consts: ReadonlyMap<Global, Const>;
  readonly #panels: ReadonlySet<Global>;
  readonly #int8: ReadonlySet<Global>;
  readonly #weights = new Map<Global, Weight>();
  readonly #copies = new Map<Global, Const>();

  constructor(network: Network) {
    this.#consts = constsByName(network);
    const ops = regions(network).flatMap((region) => region.ops);
    const [int8, others] = [ops.filter(isInt8), ops.filter((op) => op.kind === 'linear' && !isInt8(op))].map(
      (readers) => new Set(readers.flatMap(({ operands }) => operands.slice(1).filter(isGlobal))),
    );
    this.#int8 = int8 ?? new Set();
    this.#panels = others ?? new Set();
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

  /** The layout under whose weight the constant has its own name. */
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

function isInt8({ kind, attrs }: Op): boolean {
  return (kind === 'linear' || kind === 'embed') && attrs['weights'] === 'int8';
}
