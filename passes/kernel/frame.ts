/** @file What the code of one body has in common while it is lowered: formal weights and scratch buffers. */
import { isView } from '../../ir/index.ts';
import type {
  Body,
  Buffer,
  BufferName,
  Formal,
  Global,
  Kernel,
  View,
  WeightLayout,
  WeightUse,
} from '../../ir/index.ts';

/** A formal parameter and the constant that a block of this body passes for it. */
interface BoundFormal extends Formal {
  readonly constant: Global;
}

/** What a body is made of, under any name: bodies with equal keys are one. */
export interface FinishedBody {
  readonly key: string;
  /** The weights that the block passes. */
  readonly constants: readonly { readonly constant: Global; readonly layout: WeightLayout }[];
  /** The body and its scratch buffers, `$name.0`, `$name.1`, … */
  readonly under: (name: string) => { readonly body: Body; readonly buffers: readonly Buffer[] };
}

export class Frame {
  /** By layout and constant. */
  readonly #formals = new Map<string, BoundFormal>();
  readonly #scratch = new Map<BufferName, Buffer>();
  readonly #shapeOf: (constant: Global) => readonly number[];

  constructor(shapeOf: (constant: Global) => readonly number[]) {
    this.#shapeOf = shapeOf;
  }

  /** The formal for a constant in a layout; named @0, @1, … in order of first use. */
  formal(constant: Global, layout: WeightLayout): WeightUse {
    const key = `${layout} ${constant}`;
    const known = this.#formals.get(key);
    if (known !== undefined) return { weight: known.name };
    const name: Global = `@${this.#formals.size}`;
    this.#formals.set(key, { name, constant, layout, shape: this.#shapeOf(constant) });
    return { weight: name };
  }

  /** A new buffer, seen whole. */
  scratch(rows: Buffer['rows'], columns: number): View {
    const name: BufferName = `$${this.#scratch.size}`;
    this.#scratch.set(name, { name, dtype: 'f32', rows, columns, scope: 'scratch', at: null });
    return { buffer: name, from: 0, columns, routed: false };
  }

  buffer(name: BufferName): Buffer | undefined {
    return this.#scratch.get(name);
  }

  finish(kernels: readonly Kernel[], fill: readonly Kernel[]): FinishedBody {
    const bound = [...this.#formals.values()];
    const formals = bound.map(({ name, shape, layout }): Formal => ({ name, shape, layout }));
    const buffers = [...this.#scratch.values()];
    return {
      key: JSON.stringify([formals, kernels, fill, buffers]),
      constants: bound,
      under: (name) => {
        const renamed = (old: BufferName): BufferName => (this.#scratch.has(old) ? `$${name}.${old.slice(1)}` : old);
        return {
          body: {
            name,
            formals,
            kernels: kernels.map((k) => withBuffers(k, renamed)),
            fill: fill.map((k) => withBuffers(k, renamed)),
          },
          buffers: buffers.map((buffer) => ({ ...buffer, name: renamed(buffer.name) })),
        };
      },
    };
  }
}

function withBuffers(kernel: Kernel, renamed: (name: BufferName) => BufferName): Kernel {
  const change = (view: View): View => ({ ...view, buffer: renamed(view.buffer) });
  const inputs = Object.entries(kernel.inputs).map(
    ([name, input]) => [name, isView(input) ? change(input) : input] as const,
  );
  return { ...kernel, out: kernel.out === null ? null : change(kernel.out), inputs: Object.fromEntries(inputs) };
}
