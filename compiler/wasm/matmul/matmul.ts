/**
 * @file The product of two matrices of any strides in blocks that fit the cache: B's block is packed, and then read by
 * each tile of rows of A.
 */
import type { FunctionBuilder, Local } from '../asm/function.ts';
import type { ModuleBuilder } from '../asm/module.ts';
import { FLOAT_BYTES, i32 } from '../asm/values.ts';
import type { I32 } from '../asm/values.ts';
import { PANEL_BYTES, STRIP_BYTES, TILE_COLUMNS, TILE_ROWS, definePack, defineStrip } from './pack.ts';
import { SPARE_BYTES, defineTiles } from './tile.ts';

/** Of a block of B, which stays in the second-level cache. */
const BLOCK_K = 256;
const BLOCK_COLUMNS = 384;

/** Which part of a product is needed where matrices are causal: those of row i have nothing to the right of column i. */
export const causalKinds = { none: 0, result: 1, left: 2, leftTransposed: 3 } as const;

const PANELS_BYTES = (BLOCK_COLUMNS / TILE_COLUMNS) * BLOCK_K * PANEL_BYTES;
const STRIP = PANELS_BYTES;
const SPARE = STRIP + BLOCK_K * STRIP_BYTES;
export const SCRATCH_BYTES = SPARE + SPARE_BYTES;

const matmulParams = [
  'i32', // m
  'i32', // n
  'i32', // k
  'i32', // a
  'i32', // aRowStride
  'i32', // aColumnStride
  'i32', // b
  'i32', // bRowStride
  'i32', // bColumnStride
  'i32', // c
  'i32', // cRowStride
  'i32', // d, or 0
  'i32', // dRowStride
  'i32', // causal
  'i32', // scratch
  'f32', // alpha
  'f32', // beta
] as const;

/** Defines `matmul`; the strides are in bytes. */
export function defineMatmul(module: ModuleBuilder): void {
  definePack(module);
  defineStrip(module);
  defineTiles(module);
  module.define('matmul', { params: matmulParams }, (f, params) => {
    const [m, n, k, a, aRow, aColumn, b, bRow, bColumn, c, cRow, d, dRow, causal, scratch, alpha, beta] = params;
    const add = f.local('i32');
    const addRow = f.local('i32');
    const factor = f.local('f32');
    eachBlock(f, n, BLOCK_COLUMNS, (column, columns) => {
      f.set<'i32'>(add, i32.mul(i32.add(d, i32.mul(column, FLOAT_BYTES)), i32.ne(d, 0)));
      f.set<'i32'>(addRow, i32.mul(dRow, i32.ne(d, 0)));
      f.set<'f32'>(factor, beta);
      const to = f.let('i32', i32.add(c, i32.mul(column, FLOAT_BYTES)));
      eachBlock(f, k, BLOCK_K, (first, depth) => {
        const block = i32.add(b, i32.add(i32.mul(first, bRow), i32.mul(column, bColumn)));
        f.call('pack', [block, bRow, bColumn, depth, columns, scratch]);
        const range: Range = { columns: f.local('i32'), low: f.local('i32'), high: f.local('i32') };
        const from = f.local('i32');
        const [rowStep, columnStep] = [f.local('i32'), f.local('i32')];
        eachBlock(f, m, TILE_ROWS, (row, rows) => {
          narrow(f, range, { causal, row, column, columns, first, depth });
          const { low, high } = range;
          const inner = f.let('i32', i32.sub(high, low));
          f.set<'i32'>(from, i32.add(a, i32.add(i32.mul(row, aRow), i32.mul(i32.add(first, low), aColumn))));
          f.set<'i32'>(rowStep, aRow);
          f.set<'i32'>(columnStep, aColumn);
          f.if(i32.and(i32.eq(aRow, FLOAT_BYTES), i32.eq(rows, TILE_ROWS)), () => {
            f.call('strip', [from, aColumn, inner, i32.add(scratch, STRIP)]);
            f.set<'i32'>(from, i32.add(scratch, STRIP));
            f.set<'i32'>(columnStep, STRIP_BYTES);
          });
          f.call('f32_gemm_4x8', [
            rows,
            range.columns,
            inner,
            from,
            rowStep,
            columnStep,
            i32.add(scratch, i32.mul(low, PANEL_BYTES)),
            i32.mul(depth, PANEL_BYTES),
            i32.add(to, i32.mul(row, cRow)),
            cRow,
            i32.add(add, i32.mul(row, addRow)),
            addRow,
            i32.add(scratch, SPARE),
            alpha,
            factor,
          ]);
        });
        // Further blocks are added to the first one's result.
        f.set<'i32'>(add, to);
        f.set<'i32'>(addRow, cRow);
        f.set<'f32'>(factor, 1);
      });
    });
  });
}

interface Range {
  /** How many columns of the block. */
  readonly columns: Local<'i32'>;
  /** The first k of the block, and the one after the last. */
  readonly low: Local<'i32'>;
  readonly high: Local<'i32'>;
}

interface Block {
  readonly causal: I32;
  readonly row: I32;
  readonly column: I32;
  readonly columns: I32;
  readonly first: I32;
  readonly depth: I32;
}

/** What a tile of rows needs of a block; `high` is never below `low`. */
function narrow(f: FunctionBuilder, range: Range, { causal, row, column, columns, first, depth }: Block): void {
  f.set<'i32'>(range.columns, columns);
  f.set<'i32'>(range.low, 0);
  f.set<'i32'>(range.high, depth);
  const end = i32.add(row, TILE_ROWS);
  const atLeastZero = (local: Local<'i32'>): void => {
    f.if(i32.lt(local, 0), () => {
      f.set<'i32'>(local, 0);
    });
  };
  f.choose(
    causal,
    new Map([
      [
        causalKinds.result,
        () => {
          const panels = i32.and(i32.add(end, TILE_COLUMNS - 1), -TILE_COLUMNS);
          f.set<'i32'>(range.columns, i32.min(columns, i32.sub(panels, column)));
        },
      ],
      [
        causalKinds.left,
        () => {
          f.set<'i32'>(range.high, i32.min(depth, i32.sub(end, first)));
          atLeastZero(range.high);
        },
      ],
      [
        causalKinds.leftTransposed,
        () => {
          f.set<'i32'>(range.low, i32.min(depth, i32.sub(row, first)));
          atLeastZero(range.low);
        },
      ],
    ]),
  );
}

/** Runs the body for each block of `size`, with its start and its length, which may be shorter at the end. */
function eachBlock(
  f: FunctionBuilder,
  count: I32,
  size: number,
  body: (start: Local<'i32'>, length: Local<'i32'>) => void,
): void {
  f.for(
    0,
    count,
    (start) => {
      body(start, f.let('i32', i32.min(size, i32.sub(count, start))));
    },
    size,
  );
}
