/**
 * @file Lowers the code of one region: gives every value a view, op by op.
 *
 * A value goes, in order of preference: to the place where the region's result belongs, if it is the result; over an
 * operand that nothing reads any more, where the kernel allows that; to a buffer of its own. So `residual(%x, …)` at the
 * end of a block becomes a sum in place on the hidden state. A place is taken only if no value that is still to be read
 * lies in it; `%x` is such a value like any other.
 */
import { fail, isGlobal, isView, kernelSpecs, PANEL, uses } from '../../ir/index.ts';
import type {
  Attrs,
  Buffer,
  Dim,
  Global,
  Input,
  Kernel,
  KernelKind,
  Op,
  Param,
  Ref,
  TensorType,
  View,
  WeightLayout,
  WeightUse,
} from '../../ir/index.ts';
import { columnsOf } from './code.ts';
import type { Code } from './code.ts';
import type { Frame } from './frame.ts';
import { lowerings } from './op-lowerings.ts';
import { overlaps, Residents } from './residents.ts';

export interface PlacedParam extends Param {
  readonly view: View;
}

export interface RegionTarget {
  readonly ops: readonly Op[];
  readonly params: readonly PlacedParam[];
  /** Values that are read after the last op. */
  readonly results: readonly Ref[];
  /** Where the only result belongs, and how many rows that has; null: wherever it is. */
  readonly home: { readonly view: View; readonly rows: Buffer['rows'] } | null;
  /** Rows of a buffer for values of so many rows. */
  readonly rowsOf: (dim: Dim) => Buffer['rows'];
  /** True for constants that some linear multiplies with in f32: they are stored in panels. */
  readonly isPanels: (constant: Global) => boolean;
  /** First output column that is computed of a linear's result; 0 where it is not named. */
  readonly firstColumns: ReadonlyMap<Ref, number>;
  /** What the residual sum scales its branch by; undefined: nothing. */
  readonly probability: View | undefined;
}

export class RegionLowering implements Code {
  readonly kernels: Kernel[] = [];
  readonly #frame: Frame;
  readonly #target: RegionTarget;
  readonly #views = new Map<Ref, View>();
  readonly #residents = new Residents();
  readonly #types: ReadonlyMap<Ref, TensorType>;
  readonly #lastUse: ReadonlyMap<Ref, number>;
  #at = 0;

  constructor(frame: Frame, target: RegionTarget) {
    this.#frame = frame;
    this.#target = target;
    this.#types = new Map([
      ...target.params.map(({ name, type }) => [name, type] as const),
      ...target.ops.map(({ result, type }) => [result, type] as const),
    ]);
    this.#lastUse = lastUses(target);
    for (const { name, view } of target.params) this.alias(name, view);
  }

  /** Lowers all ops, and copies the result home if it is not there. */
  run(): void {
    this.#target.ops.forEach((op, index) => {
      this.#at = index;
      lowerings[op.kind](op, this);
    });
    const { home, results } = this.#target;
    const [result] = results;
    if (home === null || result === undefined) return;
    const view = this.view(result, 'yield');
    if (!sameView(view, home.view)) this.kernels.push({ kind: 'copy', out: home.view, inputs: { x: view }, attrs: {} });
  }

  type(ref: Ref | undefined): TensorType {
    const type = ref === undefined ? undefined : this.#types.get(ref);
    if (type === undefined) throw new Error(`internal: no type of ${ref ?? 'a missing operand'}`);
    return type;
  }

  view(ref: Ref | undefined, reader: string): View {
    if (ref === undefined) throw new Error(`internal: ${reader} lacks an operand`);
    if (isGlobal(ref)) {
      fail('RC0702', `${reader} reads the constant ${ref} where it needs a computed value`, {
        help: 'an op on constants only has to move to the constants: run fold-constants before lower',
      });
    }
    const view = this.#views.get(ref);
    if (view === undefined) throw new Error(`internal: no view of ${ref}`);
    return view;
  }

  weight(ref: Ref | undefined, layout: WeightLayout, reader: string): WeightUse {
    if (ref === undefined) throw new Error(`internal: ${reader} lacks an operand`);
    if (!isGlobal(ref)) fail('RC0701', `${reader} needs a constant, found the computed value ${ref}`);
    return this.#frame.formal(ref, layout);
  }

  table(ref: Ref | undefined, int8: boolean, reader: string): WeightUse {
    const panels = ref !== undefined && isGlobal(ref) && this.#target.isPanels(ref);
    return this.weight(ref, int8 ? 'int8' : panels ? 'panels' : 'rows', reader);
  }

  get probability(): View | undefined {
    return this.#target.probability;
  }

  firstColumn(ref: Ref): number {
    return this.#target.firstColumns.get(ref) ?? 0;
  }

  alias(ref: Ref, view: View): void {
    this.#views.set(ref, view);
    this.#residents.add(view, this.#lastUse.get(ref) ?? -1, this.#at);
  }

  emit(op: Op, kind: KernelKind, inputs: Readonly<Record<string, Input | undefined>>, attrs: Attrs = {}): void {
    const present = Object.fromEntries(
      Object.entries(inputs).filter((entry): entry is [string, Input] => entry[1] !== undefined),
    );
    const out = this.#place(op, kind, present);
    this.alias(op.result, out);
    this.kernels.push({ kind, out, inputs: present, attrs });
  }

  emitInto(out: View | null, kind: KernelKind, inputs: Readonly<Record<string, Input>>, attrs: Attrs = {}): void {
    this.kernels.push({ kind, out, inputs, attrs });
  }

  scratch(type: TensorType): View {
    return this.#frame.scratch(this.#target.rowsOf(type.shape[0] ?? 1), columnsOf(type));
  }

  #place(op: Op, kind: KernelKind, inputs: Readonly<Record<string, Input>>): View {
    const rows = this.#target.rowsOf(op.type.shape[0] ?? 1);
    const columns = columnsOf(op.type) - this.firstColumn(op.result);
    const { inPlace = [] } = kernelSpecs[kind];
    const over = inPlace.flatMap((name) => inputs[name] ?? []).filter(isView);
    const { home, results } = this.#target;
    const candidates = home !== null && results.includes(op.result) ? [home.view, ...over] : over;
    const fits = (view: View): boolean =>
      view.columns === columns &&
      this.#rowsAt(view) === rows &&
      (kind !== 'linear' || wholePanels(view, this.#widthAt(view))) &&
      !this.#residents.isLive(view, this.#at) &&
      Object.entries(inputs).every(
        ([name, input]) =>
          !isView(input) || !overlaps(input, view) || (inPlace.includes(name) && sameView(input, view)),
      );
    return candidates.find(fits) ?? this.#frame.scratch(rows, columns);
  }

  /** Rows of a buffer that this code may write; undefined for others. */
  #rowsAt(view: View): Buffer['rows'] | undefined {
    const { home } = this.#target;
    return home?.view.buffer === view.buffer ? home.rows : this.#frame.buffer(view.buffer)?.rows;
  }

  #widthAt(view: View): number {
    return this.#frame.buffer(view.buffer)?.columns ?? view.columns;
  }
}

function lastUses({ ops, results }: RegionTarget): ReadonlyMap<Ref, number> {
  const last = new Map<Ref, number>();
  ops.forEach((op, index) => {
    for (const ref of uses(op)) last.set(ref, index);
  });
  for (const ref of results) last.set(ref, ops.length);
  return last;
}

function sameView(a: View, b: View): boolean {
  return a.buffer === b.buffer && a.from === b.from && a.columns === b.columns && a.routed === b.routed;
}

/** True when a linear, which writes whole panels, writes nothing outside the view but the padding of its buffer. */
function wholePanels(view: View, width: number): boolean {
  return view.columns % PANEL === 0 || (view.from === 0 && view.columns === width);
}
