/**
 * @file Runs the bodies of a planned kernel program on its planned memory, slowly, and as unkindly as the contract allows:
 * scratch memory is NaN before each body, and what a linear may write besides its columns becomes NaN.
 */
import assert from 'node:assert/strict';
import { bufferBytes, INT8_MOST, inputLevels, isView, PANEL, roundRow, strideOf } from '../../ir/index.ts';
import type {
  Activation,
  Attrs,
  Body,
  Buffer,
  Global,
  Input,
  Instance,
  Kernel,
  KernelKind,
  KernelProgram,
  View,
} from '../../ir/index.ts';
import { activationFunctions, createConstants } from '../../ir/interpreter/index.ts';
import type { Tensor } from '../../ir/interpreter/index.ts';
import { noWeights } from './tiny.ts';

/** The KV list that a body works on: writes a row's entry, and says which entries a row looks at. */
export interface KvList {
  append(row: number, k: readonly number[], v: readonly number[]): void;
  seen(row: number): readonly { readonly k: readonly number[]; readonly v: readonly number[] }[];
}

/** One kernel at work: rows of its inputs by name, its weights, where its results go. */
interface Step {
  readonly attrs: Attrs;
  readonly rows: number;
  readonly row: (name: string, r: number) => number[];
  readonly write: (name: string, r: number, values: readonly number[]) => void;
  readonly has: (name: string) => boolean;
  readonly weight: (name: string) => Tensor;
  readonly isWeight: (name: string) => boolean;
  readonly isInt8: (name: string) => boolean;
  readonly kv: KvList | undefined;
  readonly columns: number;
}

type RowKernel = (step: Step, r: number) => readonly number[] | undefined;

export class KernelMachine {
  readonly program: KernelProgram;
  readonly #floats: Float32Array;
  readonly #ints: Int32Array;
  readonly #constant: (name: Global) => Tensor;
  readonly #buffers: ReadonlyMap<string, Buffer>;

  constructor(program: KernelProgram) {
    const bytes = program.memory?.weightsAt ?? 0;
    this.program = program;
    this.#floats = new Float32Array(bytes / 4).fill(NaN);
    this.#ints = new Int32Array(this.#floats.buffer);
    this.#constant = createConstants(program.consts, noWeights);
    this.#buffers = new Map(program.buffers.map((buffer) => [buffer.name, buffer]));
  }

  writeInts(name: string, values: readonly number[]): void {
    this.#ints.set(values, this.#address(name));
  }

  writeFloats(name: string, values: ArrayLike<number>): void {
    this.#floats.set(values, this.#address(name));
  }

  /** The first column of a row. */
  writeFloat(name: string, row: number, value: number): void {
    this.#floats[this.#address(name) + row * strideOf(this.#buffer(name))] = value;
  }

  readRow(name: string, row: number): Float32Array {
    const buffer = this.#buffer(name);
    const from = this.#address(name) + row * strideOf(buffer);
    return this.#floats.slice(from, from + buffer.columns);
  }

  /** Runs `code` of an instance's body on the rows of the chunk that `list` names. */
  run(instance: Instance, code: 'kernels' | 'fill', list: readonly number[], kv?: KvList): void {
    const body = this.program.bodies.find(({ name }) => name === instance.body);
    assert(body !== undefined);
    for (const buffer of this.program.buffers) {
      if (buffer.scope !== 'scratch') continue;
      const at = this.#address(buffer.name);
      this.#floats.fill(NaN, at, at + bufferBytes(buffer, this.program) / 4);
    }
    for (const kernel of body[code]) this.#runKernel(kernel, { body, args: instance.args, list, kv });
  }

  #runKernel(
    kernel: Kernel,
    around: { body: Body; args: readonly Global[]; list: readonly number[]; kv: KvList | undefined },
  ): void {
    const { out, inputs, attrs, kind } = kernel;
    assertApart(kernel);
    const input = (name: string): Input => {
      const found = inputs[name];
      assert(found !== undefined, `${kind} lacks ${name}`);
      return found;
    };
    const weight = (name: string): Tensor => {
      const use = input(name);
      assert(!isView(use), `${kind}: ${name} is a view`);
      return this.#constant(around.args[around.body.formals.findIndex((formal) => formal.name === use.weight)] ?? '@');
    };
    const fixed = out === null ? 'chunk' : this.#buffer(out.buffer).rows;
    const rows = typeof fixed === 'number' ? fixed : around.list.length;
    const step: Step = {
      attrs,
      rows,
      columns: out?.columns ?? 0,
      kv: around.kv,
      weight,
      has: (name) => name in inputs,
      isWeight: (name) => !isView(input(name)),
      isInt8: (name) => {
        const use = input(name);
        return !isView(use) && around.body.formals.find((formal) => formal.name === use.weight)?.layout === 'int8';
      },
      write: (name, r, values) => {
        const view = input(name);
        assert(isView(view), `${kind}: ${name} is not a view`);
        this.#floats.set(values, this.#rowAddress(view, r, around.list));
      },
      row: (name, r) => {
        const view = input(name);
        assert(isView(view), `${kind}: ${name} is not a view`);
        const at = this.#rowAddress(view, r, around.list);
        const cells = this.#buffer(view.buffer).dtype === 'i32' ? this.#ints : this.#floats;
        return Array.from(cells.subarray(at, at + view.columns));
      },
    };
    for (let r = 0; r < rows; r++) {
      const values = rowKernels[kind](step, r);
      if (values === undefined || out === null) continue;
      assert.equal(values.length, out.columns, `${kind} makes ${values.length} columns`);
      const at = this.#rowAddress(out, r, around.list);
      const padding = kind === 'linear' ? (PANEL - (out.columns % PANEL)) % PANEL : 0;
      this.#floats.fill(NaN, at, at + out.columns + padding);
      this.#floats.set(values, at);
    }
  }

  #rowAddress(view: View, r: number, list: readonly number[]): number {
    const row = view.routed ? (list[r] ?? NaN) : r;
    return this.#address(view.buffer) + row * strideOf(this.#buffer(view.buffer)) + view.from;
  }

  #buffer(name: string): Buffer {
    const buffer = this.#buffers.get(name);
    assert(buffer !== undefined, `no buffer ${name}`);
    return buffer;
  }

  /** In elements. */
  #address(name: string): number {
    const { at } = this.#buffer(name);
    assert(at !== null, `${name} has no address`);
    return at / 4;
  }
}

/** Inputs that a result may lie over, exactly. */
const inPlace: Readonly<Partial<Record<KernelKind, readonly string[]>>> = {
  linear: ['residual'],
  norm: ['x'],
  unary: ['x'],
  binary: ['a', 'b'],
  scale: ['x'],
  rope: ['x'],
};

function assertApart({ kind, out, inputs }: Kernel): void {
  for (const [name, input] of Object.entries(inputs)) {
    if (out === null || !isView(input) || input.buffer !== out.buffer) continue;
    const apart = input.from >= out.from + out.columns || out.from >= input.from + input.columns;
    const same = input.from === out.from && input.columns === out.columns && input.routed === out.routed;
    assert(apart || (same && inPlace[kind]?.includes(name) === true), `${kind} writes over its ${name}`);
  }
}

const rowKernels: Readonly<Record<KernelKind, RowKernel>> = {
  embed: ({ row, weight, isInt8, attrs }, r) => {
    const found = tensorRow(weight('table'), (row('ids', r)[0] ?? NaN) + Number(attrs['offset']));
    return isInt8('table') ? onGrid(found, INT8_MOST) : found;
  },
  linear,
  norm: (step, r) => normed(step, step.row('x', r)),
  unary: ({ row, attrs }, r) => row('x', r).map(activationFunctions[attrs['function'] as Activation]),
  binary: (step, r) => {
    const b = step.isWeight('b') ? weightRow(step.weight('b'), r) : step.row('b', r);
    const p = probabilityOf(step, r);
    return step
      .row('a', r)
      .map((a, i) => (step.attrs['function'] === 'add' ? a + p * (b[i] ?? NaN) : a * (b[i] ?? NaN)));
  },
  scale: ({ row, attrs }, r) => row('x', r).map((x) => x * Number(attrs['by'])),
  copy: ({ row }, r) => row('x', r),
  prepend: ({ row, weight }, r) => (r === 0 ? Array.from(weight('row').data) : row('x', r - 1)),
  select: ({ row, attrs }) => row('x', Number(attrs['row'])),
  patchify: ({ row, attrs, columns }, r) => {
    const [height, width, size] = [Number(attrs['height']), Number(attrs['width']), Number(attrs['size'])];
    const across = width / size;
    const [top, left] = [Math.floor(r / across) * size, (r % across) * size];
    const pixels = row('pixels', 0);
    return Array.from({ length: columns }, (_, i) => {
      const [channel, y, x] = [Math.floor(i / size ** 2), Math.floor(i / size) % size, i % size];
      return pixels[(channel * height + top + y) * width + left + x] ?? NaN;
    });
  },
  rope: ({ row, weight, attrs }, r) => {
    const headDim = Number(attrs['head_dim']);
    const half = headDim / 2;
    const [x, position] = [row('x', r), row('positions', r)[0] ?? NaN];
    const [cos, sin] = [tensorRow(weight('cos'), position), tensorRow(weight('sin'), position)];
    return x.map((value, i) => {
      const within = i % headDim;
      const partner = within < half ? -(x[i + half] ?? NaN) : (x[i - half] ?? NaN);
      return value * (cos[within % half] ?? NaN) + partner * (sin[within % half] ?? NaN);
    });
  },
  append: ({ row, kv }, r) => {
    kv?.append(r, row('k', r), row('v', r));
    return undefined;
  },
  attend,
  score: ({ row, has, weight, attrs }, r) => {
    const partial = row('partial', r);
    const [dot = NaN, square = NaN] = [0, 4].map((at) => partial.slice(at, at + 4).reduce((a, b) => a + b, 0));
    const rms = Math.sqrt(square / Number(attrs['columns']) + Number(attrs['eps']));
    return [dot / rms + (has('bias') ? (weight('bias').data[0] ?? NaN) : 0)];
  },
  probe: ({ row }, r) => {
    const [x, f] = [row('x', r), row('f', r)];
    return [x, f, x.map((value, i) => value + (f[i] ?? NaN))].map((values) => Math.hypot(...values));
  },
};

function linear(step: Step, r: number): readonly number[] {
  const { weight, row, has, isInt8, attrs, columns } = step;
  const input = 'norm' in attrs ? normed(step, step.row('x', r)) : row('x', r);
  const x = isInt8('weight') ? onGrid(input, inputLevels(input.length)) : input;
  const first = Number(attrs['first']);
  const act = attrs['act'] === undefined ? (value: number) => value : activationFunctions[attrs['act'] as Activation];
  const [mul, residual] = [has('mul') ? row('mul', r) : [], has('residual') ? row('residual', r) : []];
  assert.equal(columns, Number(weight('weight').shape[0]) - first);
  const made = Array.from({ length: columns }, (_, i) => {
    const stored = tensorRow(weight('weight'), first + i);
    const w = isInt8('weight') ? onGrid(stored, INT8_MOST) : stored;
    const sum =
      x.reduce((total, value, k) => total + value * (w[k] ?? NaN), 0) +
      (has('bias') ? (weight('bias').data[first + i] ?? NaN) : 0);
    return probabilityOf(step, r) * act(sum) * (mul[i] ?? 1) + (residual[i] ?? 0);
  });
  if (has('scorer')) {
    const scorer = weight('scorer').data;
    const lanes = (of: (i: number) => number): number[] =>
      [0, 1, 2, 3].map((lane) => made.reduce((sum, _, i) => (i % 4 === lane ? sum + of(i) : sum), 0));
    const products = [...lanes((i) => (made[i] ?? NaN) * (scorer[i] ?? NaN)), ...lanes((i) => (made[i] ?? NaN) ** 2)];
    step.write('partial', r, products);
  }
  return made;
}

function onGrid(row: readonly number[], most: number): number[] {
  const { scale, values } = roundRow(Float32Array.from(row), most);
  return Array.from(values, (value) => value * scale);
}

function probabilityOf({ has, row }: Step, r: number): number {
  return has('probability') ? (row('probability', r)[0] ?? NaN) : 1;
}

function normed({ weight, attrs }: Step, x: readonly number[]): number[] {
  const mean = attrs['norm'] === 'layer' ? x.reduce((sum, value) => sum + value / x.length, 0) : 0;
  const variance = x.reduce((sum, value) => sum + (value - mean) ** 2 / x.length, 0);
  const shift = attrs['norm'] === 'layer' ? weight('shift').data : [];
  return x.map(
    (value, i) =>
      ((value - mean) / Math.sqrt(variance + Number(attrs['eps']))) * (weight('gain').data[i] ?? NaN) + (shift[i] ?? 0),
  );
}

function attend({ row, kv, attrs }: Step, r: number): readonly number[] {
  const [heads, kvHeads, headDim] = [Number(attrs['heads']), Number(attrs['kv_heads']), Number(attrs['head_dim'])];
  const [q, entries] = [row('q', r), kv?.seen(r) ?? []];
  return q.map((_, column) => {
    const head = Math.floor(column / headDim);
    const from = Math.floor(head / (heads / kvHeads)) * headDim;
    const dot = (k: readonly number[]): number =>
      k.slice(from, from + headDim).reduce((sum, value, i) => sum + value * (q[head * headDim + i] ?? NaN), 0);
    const scores = entries.map(({ k }) => dot(k) * Number(attrs['scale']));
    const weights = scores.map((score) => Math.exp(score - Math.max(...scores)));
    const total = weights.reduce((a, b) => a + b, 0);
    return entries.reduce(
      (sum, { v }, e) => sum + ((weights[e] ?? NaN) / total) * (v[from + (column % headDim)] ?? NaN),
      0,
    );
  });
}

function tensorRow(tensor: Tensor, row: number): number[] {
  const columns = tensor.shape.at(-1) ?? 1;
  return Array.from(tensor.data.subarray(row * columns, (row + 1) * columns));
}

/** One row for every row, or one for each. */
function weightRow(tensor: Tensor, row: number): number[] {
  return tensorRow(tensor, tensor.shape.length === 1 ? 0 : row);
}
