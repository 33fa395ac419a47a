/**
 * @file The weights of a program, in order of first use, each in the layout that its reader needs.
 *
 * A constant that a linear multiplies with is stored in panels, and an embedding reads it there too. Should something
 * else read it as well, rows of it are stored besides, as a constant of their own.
 */
import { constsByName, isGlobal, regions } from '../../ir/index.ts';
import type { Const, Global, Network, Weight, WeightLayout } from '../../ir/index.ts';

export class WeightTable {
  readonly #consts: ReadonlyMap<Global, Const>;
  readonly #panels: ReadonlySet<Global>;
  readonly #weights = new Map<Global, Weight>();
  readonly #copies = new Map<Global, Const>();

  constructor(network: Network) {
    this.#consts = constsByName(network);
    const ops = regions(network).flatMap((region) => region.ops);
    this.#panels = new Set(
      ops.filter((op) => op.kind === 'linear').flatMap((op) => op.operands.slice(1).filter(isGlobal)),
    );
  }

  readonly isPanels = (constant: Global): boolean => this.#panels.has(constant);

  shape(constant: Global): readonly number[] {
    return this.#find(constant).type.shape.map(Number);
  }

  /** The weight to pass for a constant in a layout. */
  use(constant: Global, layout: WeightLayout): Global {
    const name = layout === 'rows' && this.isPanels(constant) ? this.#copy(constant) : constant;
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

  #copy(constant: Global): Global {
    const { type } = this.#find(constant);
    let name: Global = `${constant}.rows`;
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
