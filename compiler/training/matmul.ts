/**
 * @file Products of matrices in the memory of tfjs' wasm backend, by a module of our own.
 *
 * tfjs' own product packs its right operand anew in each call and takes plain matrices only. Ours reads any strides, so
 * that transposes and parts of matrices are views: nothing is copied. All memory belongs to tfjs' allocator.
 */
import v8 from 'node:v8';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import type { Arithmetic, MatmulExports, MatmulFacts } from '../wasm/index.ts';

export type Matrix = tf.Tensor2D;
export type Vector = tf.Tensor1D;

const FLOAT_BYTES = 4;

/** A matrix in the backend's memory, as long as its tensor lives. Strides are in floats. */
export interface View {
  readonly rows: number;
  readonly columns: number;
  /** Of element (0, 0), in bytes. */
  readonly address: number;
  readonly rowStride: number;
  readonly columnStride: number;
}

export interface ProductOptions {
  /** The product is multiplied by it. */
  readonly scale?: number;
  /** Is multiplied by the factor and added. A vector is added to each row; the result may be added to itself. */
  readonly plus?: { readonly matrix: View; readonly factor: number };
  /** What causal matrices do not need is left out, see {@link MatmulExports}. */
  readonly causal?: keyof MatmulFacts['causal'];
}

/** The module, which other threads can be given. */
export interface CompiledMatmul {
  readonly module: WebAssembly.Module;
  readonly arithmetic: Arithmetic;
  readonly facts: MatmulFacts;
}

/** What is used of tfjs' `BackendWasm`. */
type Backend = tf.KernelBackend & {
  readonly wasm: { readonly asm?: { readonly memory?: unknown } };
  readonly dataIdMap: tf.DataStorage<unknown>;
  getMemoryOffset(dataId: object): number;
  makeOutput(shape: number[], dtype: 'float32'): tf.TensorInfo;
};

interface Device extends CompiledMatmul {
  readonly backend: Backend;
  readonly exports: MatmulExports;
  readonly memory: WebAssembly.Memory;
  /** The address of the module's scratch area. */
  readonly scratch: number;
}

let started: Promise<Device> | undefined;
let device: Device | undefined;

/** Chooses the wasm backend; to be awaited before anything else of this folder computes. Takes a second. */
export function startBackend(): Promise<void> {
  return startWith(compileModule);
}

/** The same with the module of another thread. */
export function startBackendWith(compiled: CompiledMatmul): Promise<void> {
  return startWith(() => Promise.resolve(compiled));
}

async function startWith(compiled: () => Promise<CompiledMatmul>): Promise<void> {
  if (tf.getBackend() !== 'wasm') await tf.setBackend('wasm');
  await tf.ready();
  started ??= compiled().then(openDevice);
  device = await started;
}

/** What this thread multiplies with. The results of the two kinds of arithmetic differ in their rounding. */
export function compiledMatmul(): CompiledMatmul {
  const { module, arithmetic, facts } = currentDevice();
  return { module, arithmetic, facts };
}

async function openDevice(compiled: CompiledMatmul): Promise<Device> {
  const backend = tf.backend() as Backend;
  const memory = backend.wasm.asm?.memory;
  if (!(memory instanceof WebAssembly.Memory)) throw new Error('internal: the wasm backend of tfjs shows no memory');
  shareClones(backend);
  const { exports } = await WebAssembly.instantiate(compiled.module, { memory: { memory } });
  const { dataId } = backend.makeOutput([compiled.facts.scratchBytes / FLOAT_BYTES], 'float32');
  const scratch = backend.getMemoryOffset(dataId);
  return { ...compiled, backend, memory, exports: exports as unknown as MatmulExports, scratch };
}

/** tfjs clones whatever a gradient needs. Tensors do not change, so a clone can share its data; theirs is a copy. */
function shareClones(backend: Backend): void {
  tf.unregisterKernel('Identity', 'wasm');
  tf.registerKernel({
    kernelName: 'Identity',
    backendName: 'wasm',
    kernelFunc: ({ inputs }) => {
      const { x } = inputs as { readonly x: tf.TensorInfo };
      backend.incRef(x.dataId);
      return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
    },
  });
}

/** With relaxed SIMD where the engine has it; that of Node 20 has to be told. */
async function compileModule(): Promise<CompiledMatmul> {
  // Only here: threads that are given a module have no need of the compiler.
  const { emitMatmul, matmulFacts: facts } = await import('../wasm/index.ts');
  const fused = (await emitMatmul('fused')) as BufferSource;
  if (!WebAssembly.validate(fused)) v8.setFlagsFromString('--experimental-wasm-relaxed-simd');
  const arithmetic = WebAssembly.validate(fused) ? 'fused' : 'separate';
  const bytes = arithmetic === 'fused' ? fused : ((await emitMatmul(arithmetic)) as BufferSource);
  return { arithmetic, facts, module: await WebAssembly.compile(bytes) };
}

function currentDevice(): Device {
  if (device === undefined) throw new Error('internal: startBackend was not awaited');
  if (tf.backend() !== device.backend) throw new Error('internal: tfjs has another backend than at the start');
  return device;
}

/** A matrix whose elements are to be set. */
export function emptyMatrix(rows: number, columns: number): Matrix {
  return emptyTensor([rows, columns]) as Matrix;
}

function emptyTensor(shape: number[]): tf.Tensor {
  const { backend } = currentDevice();
  return tf.engine().makeTensorFromTensorInfo(backend.makeOutput(shape, 'float32'), backend);
}

/** All of a matrix. */
export function view(matrix: Matrix): View {
  const [rows, columns] = matrix.shape;
  return { rows, columns, address: addressOf(matrix), rowStride: columns, columnStride: 1 };
}

/** A vector as a row that repeats itself. */
export function repeatedRow(vector: Vector, rows: number): View {
  return { rows, columns: vector.shape[0], address: addressOf(vector), rowStride: 0, columnStride: 1 };
}

export function transposed({ rows, columns, address, rowStride, columnStride }: View): View {
  return { rows: columns, columns: rows, address, rowStride: columnStride, columnStride: rowStride };
}

export interface Part {
  readonly row?: number;
  readonly column?: number;
  readonly rows?: number;
  readonly columns?: number;
}

/** Rows and columns from the given ones on; by default from the first, and all that follow. */
export function partOf(whole: View, { row = 0, column = 0, rows, columns }: Part): View {
  const offset = row * whole.rowStride + column * whole.columnStride;
  return {
    ...whole,
    rows: rows ?? whole.rows - row,
    columns: columns ?? whole.columns - column,
    address: whole.address + FLOAT_BYTES * offset,
  };
}

/** The elements of a tensor in their place, to be read or set; until memory is asked for, which may move it. */
export function elements(tensor: tf.Tensor): Float32Array {
  return new Float32Array(currentDevice().memory.buffer, addressOf(tensor), tensor.size);
}

function addressOf(tensor: tf.Tensor, dtype: 'float32' | 'int32' = 'float32'): number {
  const { backend } = currentDevice();
  if (tensor.dtype !== dtype || !backend.dataIdMap.has(tensor.dataId)) {
    throw new Error(`internal: a tensor of ${tensor.dtype} is not in the backend's memory`);
  }
  return backend.getMemoryOffset(tensor.dataId);
}

/** a (m, k) · b (k, n) → (m, n). */
export function product(a: View, b: View, options: ProductOptions = {}): Matrix {
  const result = emptyMatrix(a.rows, b.columns);
  multiply(view(result), a, b, options);
  return result;
}

/** The same into a matrix that is there: its rows lie in one piece each, as those of what is added. */
export function multiply(
  into: View,
  a: View,
  b: View,
  { scale = 1, plus, causal = 'none' }: ProductOptions = {},
): void {
  const { rows: m, columns: n } = into;
  const added = plus?.matrix;
  if (a.rows !== m || b.rows !== a.columns || b.columns !== n || into.columnStride !== 1) throw mismatch([into, a, b]);
  if (added !== undefined && (added.rows !== m || added.columns !== n || added.columnStride !== 1)) {
    throw mismatch([into, added]);
  }
  const { exports, facts, scratch } = currentDevice();
  exports.matmul(
    ...[m, n, a.columns, ...inBytes(a), ...inBytes(b), into.address, FLOAT_BYTES * into.rowStride],
    ...(added === undefined ? [0, 0] : [added.address, FLOAT_BYTES * added.rowStride]),
    ...[facts.causal[causal], scratch, scale, plus?.factor ?? 0],
  );
}

function inBytes({ address, rowStride, columnStride }: View): readonly [number, number, number] {
  return [address, FLOAT_BYTES * rowStride, FLOAT_BYTES * columnStride];
}

function mismatch(views: readonly View[]): Error {
  const shapes = views.map(({ rows, columns, columnStride }) => `${rows} × ${columns} (${columnStride})`);
  return new Error(`internal: no product of ${shapes.join(', ')}`);
}

/** Sums over the rows: (rows, columns) → (columns). */
export function columnSums(matrix: Matrix): Vector {
  const [rows, columns] = matrix.shape;
  const sums = emptyTensor([columns]) as Vector;
  currentDevice().exports.column_sums(rows, columns, addressOf(matrix), FLOAT_BYTES * columns, addressOf(sums));
  return sums;
}

/** Floats between the rows of a causal matrix: vectors fit, and rows are not a power of two apart in the cache. */
export function causalStride(tokens: number): number {
  return 4 * Math.ceil(tokens / 4) + 4;
}

/** Rows that end elsewhere than at the diagonal. */
export interface RowEnds {
  /** The last column of each row, as int32. */
  readonly ends: tf.Tensor1D;
  /** The entry of the first row. */
  readonly first: number;
}

/**
 * The softmax of each row t over columns 0 … t, in place; rows are `causalStride` apart.
 * @param ends - of rows that end elsewhere; what is behind is then 0 in all columns of the view
 */
export function causalSoftmax({ rows, columns, address, rowStride }: View, ends?: RowEnds): void {
  const { exports } = currentDevice();
  exports.causal_softmax(address, FLOAT_BYTES * rowStride, rows, ...endsOf(ends, columns));
}

/** Makes the gradient of what `causalSoftmax` was given from that of the chances it made, in place. */
export function causalSoftmaxGradient(chances: View, gradient: View, ends?: RowEnds): void {
  const { rows, columns, rowStride } = chances;
  if (gradient.rowStride !== rowStride) throw mismatch([chances, gradient]);
  const { exports } = currentDevice();
  const strided = [chances.address, gradient.address, FLOAT_BYTES * rowStride, rows];
  exports.causal_softmax_gradient(...strided, ...endsOf(ends, columns));
}

function endsOf(ends: RowEnds | undefined, columns: number): readonly [number, number] {
  return ends === undefined ? [0, 0] : [addressOf(ends.ends, 'int32') + FLOAT_BYTES * ends.first, columns];
}
