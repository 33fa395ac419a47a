/** @file Values of the interpreter. Numbers are stored as f32; every sum inside an op is taken in double precision. */

export interface Tensor {
  readonly shape: readonly number[];
  /** Row-major. */
  readonly data: Float32Array | Int32Array;
}

export function tensor(shape: readonly number[], data: Float32Array | Int32Array): Tensor {
  return { shape, data };
}

/** A new f32 tensor of x's shape with `f` applied to each element. */
export function mapTensor(x: Tensor, f: (value: number, index: number) => number): Tensor {
  return tensor(x.shape, Float32Array.from(x.data, f));
}

export function columnsOf(x: Tensor): number {
  return x.shape.at(-1) ?? 1;
}

export function rowsOf(x: Tensor): number {
  return x.shape.length === 2 ? (x.shape[0] ?? 0) : 1;
}

/** Row `i` of a matrix, shared. */
export function rowOf(x: Tensor, i: number): Float32Array | Int32Array {
  const columns = columnsOf(x);
  return x.data.subarray(i * columns, (i + 1) * columns);
}

export function copyRow(x: Tensor, r: number): Float32Array {
  return Float32Array.from(rowOf(x, r));
}

/** A matrix of the given rows of x, copied. */
export function gatherRows(x: Tensor, rows: readonly number[]): Tensor {
  const columns = columnsOf(x);
  const data = new Float32Array(rows.length * columns);
  rows.forEach((row, i) => data.set(rowOf(x, row), i * columns));
  return tensor([rows.length, columns], data);
}
