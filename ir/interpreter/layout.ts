/** @file Ops that only move numbers. */
import { columnsOf, tensor } from './tensor.ts';
import type { Tensor } from './tensor.ts';

/** Sizes before, at and after an axis. */
function around(shape: readonly number[], axis: number): { outer: number; size: number; inner: number } {
  const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);
  return { outer: product(shape.slice(0, axis)), size: shape[axis] ?? 0, inner: product(shape.slice(axis + 1)) };
}

export function concat(parts: readonly Tensor[], axis: number): Tensor {
  const sizes = parts.map((part) => around(part.shape, axis));
  const total = sizes.reduce((sum, { size }) => sum + size, 0);
  const { outer = 0, inner = 0 } = sizes[0] ?? {};
  const data = new Float32Array(outer * total * inner);
  let offset = 0;
  parts.forEach((part, p) => {
    const width = (sizes[p]?.size ?? 0) * inner;
    for (let o = 0; o < outer; o++) {
      data.set(part.data.subarray(o * width, (o + 1) * width), o * total * inner + offset);
    }
    offset += width;
  });
  return tensor(parts[0]?.shape.with(axis, total) ?? [], data);
}

export function slice(x: Tensor, axis: number, from: number, to: number): Tensor {
  const { outer, size, inner } = around(x.shape, axis);
  const width = (to - from) * inner;
  const data = new Float32Array(outer * width);
  for (let o = 0; o < outer; o++) {
    const start = (o * size + from) * inner;
    data.set(x.data.subarray(start, start + width), o * width);
  }
  return tensor(x.shape.with(axis, to - from), data);
}

export function transpose(x: Tensor): Tensor {
  const [rows = 0, columns = 0] = x.shape;
  const data = new Float32Array(x.data.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) data[c * rows + r] = x.data[r * columns + c] ?? 0;
  }
  return tensor([columns, rows], data);
}

export function patchify(pixels: Tensor, size: number): Tensor {
  const [channels = 0, height = 0, width = 0] = pixels.shape;
  const across = width / size;
  const patches: number[][] = [];
  for (let p = 0; p < across * (height / size); p++) {
    const [top, left] = [Math.floor(p / across) * size, (p % across) * size];
    const patch: number[] = [];
    for (let c = 0; c < channels; c++) {
      for (let y = 0; y < size; y++) {
        const start = (c * height + top + y) * width + left;
        patch.push(...pixels.data.subarray(start, start + size));
      }
    }
    patches.push(patch);
  }
  const data = Float32Array.from(patches.flat());
  return tensor([patches.length, channels * size * size], data);
}

/** Copies `row` into row `i` of a matrix. */
export function setRow(x: Tensor, i: number, row: Float32Array | Int32Array): void {
  x.data.set(row, i * columnsOf(x));
}
