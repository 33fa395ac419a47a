/** @file Up to `TILE_ROWS` rows of a product: tile after tile in registers, from packed panels of B. */
import type { FunctionBuilder, Local } from '../asm/function.ts';
import type { ModuleBuilder } from '../asm/module.ts';
import { FLOAT_BYTES, VECTOR_BYTES, f32, f32x4, i32 } from '../asm/values.ts';
import type { I32, V128 } from '../asm/values.ts';
import { PANEL_BYTES, TILE_COLUMNS, TILE_ROWS } from './pack.ts';

/** A whole tile, for those at the edge, which are not to be written past their rows and columns. */
export const SPARE_BYTES = TILE_ROWS * PANEL_BYTES;

const tileParams = [
  'i32', // rows, 1 … TILE_ROWS
  'i32', // columns
  'i32', // k
  'i32', // a
  'i32', // aRowStride
  'i32', // aColumnStride
  'i32', // first panel, at the first k
  'i32', // panelStride
  'i32', // c
  'i32', // cRowStride
  'i32', // d, or 0
  'i32', // dRowStride
  'i32', // spare
  'f32', // alpha
  'f32', // beta
] as const;

/** Where the tile's rows are read or written. */
interface Place {
  readonly at: Local<'i32'>;
  readonly stride: Local<'i32'>;
}

/** Defines `f32_gemm_4x8`: C = alpha · A · B + beta · D; without D, C = alpha · A · B. Strides are in bytes. */
export function defineTiles(module: ModuleBuilder): void {
  defineCopy(module);
  module.define('f32_gemm_4x8', { params: tileParams }, (f, params) => {
    const [rows, columns, k, a, aRow, aColumn, panels, panelStride, c, cRow, d, dRow, spare, alpha, beta] = params;
    // Rows that lack are computed as the last one once more, and not stored.
    const starts = Array.from({ length: TILE_ROWS }, (_, r) =>
      f.let('i32', i32.add(a, i32.mul(aRow, i32.min(r, i32.sub(rows, 1))))),
    );
    const panel = f.let('i32', panels);
    const read: Place = { at: f.local('i32'), stride: f.local('i32') };
    const write: Place = { at: f.local('i32'), stride: f.local('i32') };
    f.for(
      0,
      columns,
      (column) => {
        const sums = sumPanel(module, f, { starts, step: aColumn, panel, k });
        const offset = i32.mul(column, FLOAT_BYTES);
        const count = f.let('i32', i32.min(i32.sub(columns, column), TILE_COLUMNS));
        const edge = f.let('i32', i32.lt(i32.add(rows, count), TILE_ROWS + TILE_COLUMNS));
        point(f, read, i32.add(d, offset), dRow);
        point(f, write, i32.add(c, offset), cRow);
        f.if(edge, () => {
          f.if(d, () => {
            f.call('copy', [rows, count, read.at, read.stride, spare, PANEL_BYTES]);
          });
          point(f, read, spare, PANEL_BYTES);
          point(f, write, spare, PANEL_BYTES);
        });
        const scaled = sums.map((pair) => pair.map((sum) => f32x4.mul(sum, f32x4.splat(alpha))));
        f.if(
          d,
          () => {
            storeTile(
              f,
              write,
              scaled,
              (value, half) => {
                const old = f32x4.load(read.at, half * VECTOR_BYTES);
                return module.multiplyAdd(f32x4.splat(beta), old, value);
              },
              read,
            );
          },
          () => {
            storeTile(f, write, scaled, (value) => value);
          },
        );
        f.if(edge, () => {
          f.call('copy', [rows, count, spare, PANEL_BYTES, i32.add(c, offset), cRow]);
        });
        f.increase(panel, panelStride);
      },
      TILE_COLUMNS,
    );
  });
}

interface Strip {
  readonly starts: readonly Local<'i32'>[];
  readonly step: I32;
  readonly panel: Local<'i32'>;
  readonly k: I32;
}

/** The sums of one tile: for each row two vectors. Short, and not unrolled: V8 11 spills in longer loops. */
function sumPanel(module: ModuleBuilder, f: FunctionBuilder, { starts, step, panel, k }: Strip): Local<'v128'>[][] {
  const sums = starts.map(() => [f.let('v128', f.constant(0)), f.let('v128', f.constant(0))]);
  const rows = starts.map((start) => f.let('i32', start));
  const b = f.let('i32', panel);
  const end = f.let('i32', i32.add(panel, i32.mul(k, PANEL_BYTES)));
  const halves = [f.local('v128'), f.local('v128')];
  const factor = f.local('v128');
  f.while(i32.below(b, end), () => {
    for (const [h, half] of halves.entries()) f.set(half, f32x4.load(b, h * VECTOR_BYTES));
    for (const [r, row] of rows.entries()) {
      f.set(factor, f32x4.loadSplat(row));
      for (const [h, sum] of (sums[r] ?? []).entries()) {
        f.set(sum, module.multiplyAdd(factor, halves[h] ?? factor, sum));
      }
      f.increase(row, step);
    }
    f.increase(b, PANEL_BYTES);
  });
  return sums;
}

function point(f: FunctionBuilder, place: Place, at: I32, stride: I32): void {
  f.set<'i32'>(place.at, at);
  f.set<'i32'>(place.stride, stride);
}

/** Moves the places forward, row by row. */
function storeTile(
  f: FunctionBuilder,
  write: Place,
  tile: readonly (readonly V128[])[],
  finish: (value: V128, half: number) => V128,
  read?: Place,
): void {
  for (const pair of tile) {
    for (const [half, value] of pair.entries()) f.store(write.at, finish(value, half), half * VECTOR_BYTES);
    f.increase(write.at, write.stride);
    if (read !== undefined) f.increase(read.at, read.stride);
  }
}

/** Defines `copy(rows, columns, from, fromStride, to, toStride)`. */
function defineCopy(module: ModuleBuilder): void {
  const params = ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'] as const;
  module.define('copy', { params }, (f, [rows, columns, from, fromStride, to, toStride]) => {
    const source = f.let('i32', from);
    const target = f.let('i32', to);
    f.for(0, rows, () => {
      f.for(
        0,
        i32.mul(columns, FLOAT_BYTES),
        (offset) => {
          f.storeF32(i32.add(target, offset), f32.load(i32.add(source, offset)));
        },
        FLOAT_BYTES,
      );
      f.increase(source, fromStride);
      f.increase(target, toStride);
    });
  });
}
