/** @file Small kernel programs made by hand, placed in memory, emitted and run. */
import {
  ALIGNMENT,
  PANEL,
  bufferBytes,
  kvBuffers,
  needsWalk,
  rowBuffers,
  strideOf,
  walkBuffers,
  weightBytes,
} from '../../../ir/index.ts';
import type {
  Body,
  Buffer,
  BufferName,
  Global,
  Input,
  Kernel,
  KernelKind,
  KernelProgram,
  KvPlan,
  View,
  Weight,
} from '../../../ir/index.ts';
import { packInt8 } from '../../../compiler/artifact/weight-image.ts';
import { emitWasm, targetBuffers } from '../../../compiler/wasm/index.ts';

const SEQUENTIAL = { kv: 'absent', revisit: 'overwrite', maxHops: 8 } as const;
const MEMORY_PAGE = 65_536;

export type ProgramParts = Partial<Omit<KernelProgram, 'kv'>> & { readonly kv?: KvPlan | null };

/** A program of which the parts are given; the rest is empty. Control buffers are added; nothing is placed. */
export function programOf(parts: ProgramParts): KernelProgram {
  const nothing: Body = { name: 'nothing', formals: [], kernels: [], fill: [] };
  const program: KernelProgram = {
    stage: 'kernel',
    name: 'test',
    task: 'causal-lm',
    context: 64,
    routing: SEQUENTIAL,
    chunk: 16,
    headRows: 4,
    sequences: 1,
    consts: [],
    weights: [],
    memory: null,
    entry: { body: 'nothing', args: [], edge: { router: null, successors: [parts.blocks?.[0]?.id ?? 'exit'] } },
    blocks: [],
    exit: { body: 'nothing', args: [] },
    ...parts,
    kv: parts.kv ?? null,
    buffers: parts.buffers ?? [],
    bodies: [nothing, ...(parts.bodies ?? [])],
  };
  const buffers = [
    ...rowBuffers(program),
    ...(needsWalk(program) ? walkBuffers(program) : []),
    ...(program.kv === null ? [] : kvBuffers(program.kv, program)),
    ...program.buffers,
  ];
  return { ...program, buffers: [...buffers, ...targetBuffers({ ...program, buffers })] };
}

/** Gives everything an address, one after the other. */
export function place(program: KernelProgram): KernelProgram {
  let end = ALIGNMENT;
  const take = (bytes: number): number => {
    const at = end;
    end = Math.ceil((end + bytes) / ALIGNMENT) * ALIGNMENT;
    return at;
  };
  const weightsAt = end;
  const weights = program.weights.map((weight) => ({ ...weight, at: take(weightBytes(weight)) - weightsAt }));
  const weightsBytes = end - weightsAt;
  const buffers = program.buffers.map((buffer) => ({ ...buffer, at: take(bufferBytes(buffer, program)) }));
  const { kv } = program;
  const placedKv = kv === null ? null : { ...kv, at: take(kv.pages * kv.width * kv.slots * 8) };
  const total = Math.ceil(end / MEMORY_PAGE) * MEMORY_PAGE;
  return { ...program, weights, buffers, kv: placedKv, memory: { weightsAt, weightsBytes, total } };
}

export interface Running {
  readonly program: KernelProgram;
  readonly f32: Float32Array;
  readonly i32: Int32Array;
  readonly bytes: Uint8Array;
  readonly prefill: (first: number, count: number) => void;
  readonly decode: (position: number) => void;
  readonly head: (row: number, count: number) => void;
  readonly reset: () => void;
  /** Calls and rows of a kernel kind, in an instrumented program. */
  readonly counters: () => number;
}

/** Emits and instantiates a placed program, with everything but the weights poisoned with NaN. */
export async function run(
  program: KernelProgram,
  weights: Readonly<Record<Global, readonly number[]>> = {},
  counters = false,
): Promise<Running> {
  const bytes = await emitWasm(program, { counters });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes as BufferSource));
  const memory = exports['memory'] as WebAssembly.Memory;
  const f32 = new Float32Array(memory.buffer);
  f32.fill(NaN, 0, (program.memory?.total ?? 0) / 4);
  const running = { program, bytes, f32, i32: new Int32Array(memory.buffer), ...exports } as unknown as Running;
  for (const weight of program.weights) {
    f32.set(packed(weight, weights[weight.name] ?? []), ((program.memory?.weightsAt ?? 0) + (weight.at ?? 0)) / 4);
  }
  running.reset();
  return running;
}

/** A weight in its layout. */
function packed({ shape, layout }: Pick<Weight, 'shape' | 'layout'>, values: readonly number[]): Float32Array {
  if (layout === 'rows') return Float32Array.from(values);
  const [out = 0, inner = 0] = shape;
  if (layout === 'int8') return new Float32Array(packInt8(Float32Array.from(values), out, inner).buffer);
  const result = new Float32Array(Math.ceil(out / PANEL) * PANEL * inner);
  for (let o = 0; o < out; o++) {
    for (let k = 0; k < inner; k++) {
      result[(Math.floor(o / PANEL) * inner + k) * PANEL + (o % PANEL)] = values[o * inner + k] ?? NaN;
    }
  }
  return result;
}

function bufferOf({ program }: Running, name: string): Buffer & { readonly at: number } {
  const buffer = program.buffers.find((candidate) => candidate.name === name);
  if (buffer?.at === undefined || buffer.at === null) throw new Error(`no buffer ${name}`);
  return { ...buffer, at: buffer.at };
}

/** Index of a row of a buffer in the f32 or i32 view of the memory. */
function rowStart(running: Running, name: string, row: number): number {
  const buffer = bufferOf(running, name);
  return buffer.at / 4 + row * strideOf(buffer);
}

export function writeRow(running: Running, name: string, row: number, values: readonly number[]): void {
  const { dtype } = bufferOf(running, name);
  running[dtype].set(values, rowStart(running, name, row));
}

export function readRow(running: Running, name: string, row: number): number[] {
  const { dtype, columns } = bufferOf(running, name);
  const start = rowStart(running, name, row);
  return [...running[dtype].subarray(start, start + columns)];
}

export function view(buffer: BufferName, columns: number, options: { from?: number; routed?: boolean } = {}): View {
  return { buffer, columns, from: options.from ?? 0, routed: options.routed ?? false };
}

export function buffer(name: BufferName, columns: number, options: Partial<Buffer> = {}): Buffer {
  return { name, dtype: 'f32', rows: 'chunk', columns, scope: 'state', at: null, ...options };
}

export function kernel(
  kind: KernelKind,
  out: View | null,
  inputs: Readonly<Record<string, Input>>,
  attrs: Kernel['attrs'] = {},
): Kernel {
  return { kind, out, inputs, attrs };
}

/** A program whose entry is the kernels: `prefill(0, n)` runs them for n rows; `head(row, n)` with other row lists. */
export function kernelProgram(
  kernels: readonly Kernel[],
  { buffers, weights = [], ...parts }: ProgramParts & { readonly buffers: readonly Buffer[] },
): KernelProgram {
  const args = weights.map(({ name }) => name);
  const body: Body = { name: 'test', formals: weights, kernels, fill: [] };
  return place(
    programOf({
      ...parts,
      buffers,
      weights,
      bodies: [body],
      entry: { body: 'test', args, edge: { router: null, successors: ['exit'] } },
      exit: { body: 'test', args },
    }),
  );
}

export function weight(name: Global, shape: readonly number[], layout: Weight['layout'] = 'rows'): Weight {
  return { name, shape, layout, at: null };
}

/** Deterministic numbers in (-1, 1). */
export function numbers(count: number, seed: number): number[] {
  let state = seed * 2_654_435_761 + 1;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b_3c6d) + 0x9e37_79b9) | 0;
    return Math.fround((state >>> 8) / 2 ** 23 - 1);
  });
}

export function rows(count: number, columns: number, seed: number): number[][] {
  return Array.from({ length: count }, (_, row) => numbers(columns, seed * 1000 + row));
}

/** Largest difference; infinite where one is NaN and the other not. */
export function distance(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return Infinity;
  return Math.max(
    0,
    ...a.map((x, i) =>
      Object.is(x, b[i]) ? 0 : Number.isNaN(x - (b[i] ?? NaN)) ? Infinity : Math.abs(x - (b[i] ?? 0)),
    ),
  );
}
