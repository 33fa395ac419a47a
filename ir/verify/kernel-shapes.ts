/** @file Invariant 8 of kernel programs: how the columns of a kernel's views and the shapes of its weights fit together. */
import { inputLevels } from '../int8.ts';
import { PARTIAL_COLUMNS } from '../kernel/control.ts';
import type { KernelKind } from '../kernel/table.ts';
import { isView, PANEL } from '../kernel/types.ts';
import type { Formal, Kernel, View } from '../kernel/types.ts';
import { normFault } from '../ops/math.ts';
import { sameShape } from '../ops/spec.ts';
import type { Global } from '../types.ts';

/** A kernel whose inputs and attributes are those of the table. */
class Shapes {
  readonly #kernel: Kernel;
  readonly #formals: ReadonlyMap<Global, Formal>;

  constructor(kernel: Kernel, formals: ReadonlyMap<Global, Formal>) {
    this.#kernel = kernel;
    this.#formals = formals;
  }

  attr(name: string): number {
    return Number(this.#kernel.attrs[name]);
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#kernel.inputs, name);
  }

  /** Columns of the output. */
  get out(): number {
    return this.outView?.columns ?? 0;
  }

  get outView(): View | null {
    return this.#kernel.out;
  }

  get norm(): unknown {
    return this.#kernel.attrs['norm'];
  }

  get function(): unknown {
    return this.#kernel.attrs['function'];
  }

  get hasEps(): boolean {
    return Object.hasOwn(this.#kernel.attrs, 'eps');
  }

  /** Shape of a weight; empty when the input is not one. */
  shape(name: string): readonly number[] {
    const input = this.#kernel.inputs[name];
    return input === undefined || isView(input) ? [] : (this.#formals.get(input.weight)?.shape ?? []);
  }

  layout(name: string): string {
    const input = this.#kernel.inputs[name];
    return input === undefined || isView(input) ? '' : (this.#formals.get(input.weight)?.layout ?? '');
  }

  /** Columns of a view. */
  columns(name: string): number {
    const input = this.#kernel.inputs[name];
    return input !== undefined && isView(input) ? input.columns : 0;
  }

  /** What is wrong when a view, if it is there, has not so many columns. */
  expectColumns(name: string, expected: number): string | undefined {
    if (!this.has(name) || this.columns(name) === expected) return undefined;
    return `${name} has ${this.columns(name)} columns, expected ${expected}`;
  }

  expectOut(expected: number): string | undefined {
    return this.out === expected ? undefined : `the output has ${this.out} columns, expected ${expected}`;
  }

  /** What is wrong when a weight, if it is there, has not this shape. */
  expectShape(name: string, ...expected: readonly number[]): string | undefined {
    if (!this.has(name) || sameShape(this.shape(name), expected)) return undefined;
    return `${name} has shape [${this.shape(name).join(', ')}], expected [${expected.join(', ')}]`;
  }

  /** Only matrices that a linear or an embedding reads may be in panels or int8. */
  expectRows(...names: readonly string[]): string | undefined {
    const wrong = names.find((name) => ['panels', 'int8'].includes(this.layout(name)));
    return wrong === undefined ? undefined : `${wrong} is in ${this.layout(wrong)}, expected rows`;
  }
}

type Rule = (shapes: Shapes) => string | undefined;

const elementwise: Rule = (k) => k.expectColumns('x', k.out);

function linear(k: Shapes): string | undefined {
  const [out = 0, inner = 0] = k.shape('weight');
  const first = k.attr('first');
  if (k.layout('weight') === 'rows') return 'the weight is in rows, expected panels or int8';
  if (k.layout('weight') === 'int8' && inputLevels(inner) < 1) return `rows of ${inner} are too long for int8`;
  if (first % PANEL !== 0) return `first is ${first}, expected a multiple of ${PANEL}`;
  if (first + k.out > out) return `columns up to ${first + k.out} are computed of a weight with ${out}`;
  if (k.outView?.from !== 0 && k.out % PANEL !== 0) {
    return `the output has ${k.out} columns and does not begin at column 0; expected a multiple of ${PANEL}`;
  }
  return (
    k.expectColumns('x', inner) ??
    k.expectColumns('mul', k.out) ??
    k.expectColumns('residual', k.out) ??
    k.expectColumns('probability', 1) ??
    k.expectShape('bias', out) ??
    k.expectShape('gain', inner) ??
    k.expectShape('shift', inner) ??
    k.expectRows('bias', 'gain', 'shift') ??
    (k.has('probability') && !k.has('residual') ? 'a probability scales what is added to a residual' : undefined) ??
    scorerParts(k) ??
    normParts(k)
  );
}

/** The products are summed in whole vectors. */
function scorerParts(k: Shapes): string | undefined {
  if (k.has('scorer') !== k.has('partial')) return 'scorer and partial go together';
  if (!k.has('scorer')) return undefined;
  if (k.out % PANEL !== 0) return `a row of ${k.out} columns is scored, expected a multiple of ${PANEL}`;
  return k.expectShape('scorer', k.out) ?? k.expectRows('scorer') ?? k.expectColumns('partial', PARTIAL_COLUMNS);
}

const normParts: Rule = (k) => normFault(k.norm, (part) => (part === 'eps' ? k.hasEps : k.has(part)));

function binary(k: Shapes): string | undefined {
  const shape = k.shape('b');
  const b =
    shape.length === 0
      ? k.expectColumns('b', k.out)
      : shape.at(-1) === k.out && shape.length <= 2
        ? undefined
        : `b has shape [${shape.join(', ')}]`;
  const product = k.has('probability') && k.function !== 'add' ? 'a probability scales what is added' : undefined;
  return k.expectColumns('a', k.out) ?? b ?? k.expectRows('b') ?? k.expectColumns('probability', 1) ?? product;
}

function rope(k: Shapes): string | undefined {
  const headDim = k.attr('head_dim');
  const table = [k.shape('cos')[0] ?? 0, headDim / 2] as const;
  if (headDim % 2 !== 0 || k.out % headDim !== 0) return `${k.out} columns do not split into heads of ${headDim}`;
  const wrong = k.expectColumns('x', k.out) ?? k.expectColumns('positions', 1);
  return wrong ?? k.expectShape('cos', ...table) ?? k.expectShape('sin', ...table) ?? k.expectRows('cos', 'sin');
}

function attend(k: Shapes): string | undefined {
  const [heads, kvHeads] = [k.attr('heads'), k.attr('kv_heads')];
  if (heads % kvHeads !== 0) return `${heads} heads cannot share ${kvHeads} KV heads`;
  return k.expectColumns('q', heads * k.attr('head_dim')) ?? k.expectOut(heads * k.attr('head_dim'));
}

function patchify(k: Shapes): string | undefined {
  const [channels, height, width, size] = [k.attr('channels'), k.attr('height'), k.attr('width'), k.attr('size')];
  if (height % size !== 0 || width % size !== 0) {
    return `${height} × ${width} pixels do not split into patches of ${size}`;
  }
  return k.expectColumns('pixels', channels * height * width) ?? k.expectOut(channels * size * size);
}

function append(k: Shapes): string | undefined {
  const columns = k.attr('kv_heads') * k.attr('head_dim');
  return k.expectColumns('k', columns) ?? k.expectColumns('v', columns);
}

const rules: Readonly<Record<KernelKind, Rule>> = {
  embed: (k) => k.expectColumns('ids', 1) ?? k.expectShape('table', k.shape('table')[0] ?? 0, k.out),
  linear,
  norm: (k) =>
    k.expectColumns('x', k.out) ??
    k.expectShape('gain', k.out) ??
    k.expectShape('shift', k.out) ??
    k.expectRows('gain', 'shift') ??
    normParts(k),
  unary: elementwise,
  binary,
  scale: elementwise,
  copy: elementwise,
  prepend: (k) => k.expectColumns('x', k.out) ?? k.expectShape('row', k.out) ?? k.expectRows('row'),
  select: elementwise,
  patchify,
  rope,
  append,
  attend,
  score: (k) =>
    k.expectColumns('partial', PARTIAL_COLUMNS) ?? k.expectOut(1) ?? k.expectShape('bias', 1) ?? k.expectRows('bias'),
  probe: (k) => k.expectColumns('f', k.columns('x')) ?? k.expectOut(3),
};

/** What is wrong with the shapes of a kernel, or undefined. Its inputs and attributes must be those of the table. */
export function shapeFault(kernel: Kernel, formals: ReadonlyMap<Global, Formal>): string | undefined {
  return rules[kernel.kind](new Shapes(kernel, formals));
}
