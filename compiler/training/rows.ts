/**
 * @file Rows of matrices as tfjs operations: some are taken out, some are changed. By copying in the backend's memory, which
 * is many times faster than tfjs' own gather and scatter.
 */
import * as tf from '@tensorflow/tfjs-core';
import { columnSums, elements, emptyMatrix } from './matmul.ts';
import type { Matrix } from './matmul.ts';

/** Rows of x (all, columns) → (rows, columns). @param rows - ascending; without, all */
export function takeRows(x: Matrix, rows?: Int32Array): Matrix {
  const [all, columns] = x.shape;
  if (rows === undefined || rows.length === all) return x;
  const op = tf.customGrad((...inputs) => {
    const [from] = inputs as unknown as [Matrix];
    const gradFunc = (dy: tf.Tensor): tf.Tensor[] => {
      const dx = zeroMatrix(all, columns);
      scatter(elements(dy), rows, elements(dx), columns);
      return [dx];
    };
    return { value: copyOfRows(from, rows), gradFunc };
  });
  return op(x);
}

/** What `takeRows` computes, with no gradient. */
function copyOfRows(x: Matrix, rows: Int32Array): Matrix {
  const [, columns] = x.shape;
  const taken = emptyMatrix(rows.length, columns);
  gather(elements(x), rows, elements(taken), columns);
  return taken;
}

/** Row i becomes row `rows[i]` of the other; rows that follow one another go at once. */
function gather(from: Float32Array, rows: Int32Array, into: Float32Array, columns: number): void {
  eachRun(rows, (first, last, row) => {
    into.set(from.subarray(row * columns, (row + last - first) * columns), first * columns);
  });
}

/** Row `rows[i]` becomes row i of the other. */
function scatter(from: Float32Array, rows: Int32Array, into: Float32Array, columns: number): void {
  eachRun(rows, (first, last, row) => {
    into.set(from.subarray(first * columns, last * columns), row * columns);
  });
}

/** Visits `first` … `last` − 1 whose rows are `row` and those that follow. */
function eachRun(rows: Int32Array, visit: (first: number, last: number, row: number) => void): void {
  for (let first = 0, last = 0; first < rows.length; first = last) {
    const row = rows[first] ?? NaN;
    for (last = first + 1; rows[last] === row + last - first;) last++;
    visit(first, last, row);
  }
}

/** What is added to some rows of a matrix. */
export interface Branch {
  /** Ascending. */
  readonly rows: Int32Array;
  /** (rows, columns) */
  readonly f: Matrix;
}

/** x (all, columns) with each branch added to its rows. */
export function addToRows(x: Matrix, branches: readonly Branch[]): Matrix {
  const op = tf.customGrad((...inputs) => {
    const [input, ...added] = inputs.slice(0, 1 + branches.length) as [Matrix, ...Matrix[]];
    const value = emptyMatrix(...x.shape);
    const into = elements(value);
    into.set(elements(input));
    for (const [i, { rows, f }] of branches.entries()) addRows(elements(added[i] ?? f), rows, into, x.shape[1]);
    const gradFunc = (dy: tf.Tensor): tf.Tensor[] => [
      tf.reshape(dy, dy.shape),
      ...branches.map(({ rows }) => copyOfRows(dy as Matrix, rows)),
    ];
    return { value, gradFunc };
  });
  return op(x, ...branches.map(({ f }) => f));
}

/** Adds row i of f to row `rows[i]`. */
function addRows(f: Float32Array, rows: Int32Array, into: Float32Array, columns: number): void {
  for (const [i, row] of rows.entries()) {
    for (let c = 0; c < columns; c++) {
      into[row * columns + c] = (into[row * columns + c] ?? 0) + (f[i * columns + c] ?? 0);
    }
  }
}

/** Adds row `index` of a table to each row of x. */
export function addEntry(x: Matrix, table: Matrix, index: number): Matrix {
  const [rows, columns] = x.shape;
  const op = tf.customGrad((...inputs) => {
    const [input, entries] = inputs as unknown as [Matrix, Matrix];
    const value = emptyMatrix(rows, columns);
    const [from, added, into] = [elements(input), elements(entries), elements(value)];
    for (let i = 0; i < into.length; i++) into[i] = (from[i] ?? 0) + (added[index * columns + (i % columns)] ?? 0);
    const gradFunc = (dy: tf.Tensor): tf.Tensor[] => {
      const [sums, dTable] = [columnSums(dy as Matrix), zeroMatrix(...table.shape)];
      elements(dTable).set(elements(sums), index * columns);
      sums.dispose();
      return [tf.reshape(dy, dy.shape), dTable];
    };
    return { value, gradFunc };
  });
  return op(x, table);
}

export function zeroMatrix(rows: number, columns: number): Matrix {
  const matrix = emptyMatrix(rows, columns);
  elements(matrix).fill(0);
  return matrix;
}

/** For the short rows here, faster than making views of them. */
export function copyRow(from: Float32Array, at: number, into: Float32Array, to: number, count: number): void {
  for (let c = 0; c < count; c++) into[to + c] = from[at + c] ?? 0;
}
