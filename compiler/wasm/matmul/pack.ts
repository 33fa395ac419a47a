/**
 * @file Copies of B and A in the order in which the tiles read them, one float after the other: a panel holds, for each
 * k, the elements of `TILE_COLUMNS` columns of B, a strip those of `TILE_ROWS` rows of A. Strides are in bytes.
 */
import type { FunctionBuilder } from '../asm/function.ts';
import type { ModuleBuilder } from '../asm/module.ts';
import { FLOAT_BYTES, VECTOR_BYTES, f32, f32x4, i32 } from '../asm/values.ts';
import type { I32, V128 } from '../asm/values.ts';

export const TILE_ROWS = 4;
export const TILE_COLUMNS = 8;
/** What a panel holds for one k. */
export const PANEL_BYTES = TILE_COLUMNS * FLOAT_BYTES;
/** What a strip holds for one k. */
export const STRIP_BYTES = TILE_ROWS * FLOAT_BYTES;

/** Defines `pack(b, rowStride, columnStride, k, columns, to)`: all panels; zeros where columns lack. */
export function definePack(module: ModuleBuilder): void {
  definePanelOfRows(module);
  definePanelOfAny(module);
  definePanelOfColumns(module);
  const params = ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'] as const;
  module.define('pack', { params }, (f, [b, rowStride, columnStride, k, columns, to]) => {
    const from = f.let('i32', b);
    const panel = f.let('i32', to);
    f.for(
      0,
      columns,
      (column) => {
        const whole = i32.ge(i32.sub(columns, column), TILE_COLUMNS);
        const any = (): void => {
          const count = i32.min(i32.sub(columns, column), TILE_COLUMNS);
          f.call('panel_of_any', [from, rowStride, columnStride, k, count, panel]);
        };
        f.if(
          i32.and(whole, i32.eq(columnStride, FLOAT_BYTES)),
          () => {
            f.call('panel_of_rows', [from, rowStride, k, panel]);
          },
          () => {
            f.if(
              i32.and(whole, i32.eq(rowStride, FLOAT_BYTES)),
              () => {
                f.call('panel_of_columns', [from, columnStride, k, panel]);
              },
              any,
            );
          },
        );
        f.increase(from, i32.mul(columnStride, TILE_COLUMNS));
        f.increase(panel, i32.mul(k, PANEL_BYTES));
      },
      TILE_COLUMNS,
    );
  });
}

/** Defines `strip(a, columnStride, k, to)` for `TILE_ROWS` rows that lie side by side, as those of a transpose do. */
export function defineStrip(module: ModuleBuilder): void {
  module.define('strip', { params: ['i32', 'i32', 'i32', 'i32'] }, (f, [a, columnStride, k, to]) => {
    const from = f.let('i32', a);
    f.for(
      to,
      i32.add(to, i32.mul(k, STRIP_BYTES)),
      (at) => {
        f.store(at, f32x4.load(from));
        f.increase(from, columnStride);
      },
      STRIP_BYTES,
    );
  });
}

function definePanelOfRows(module: ModuleBuilder): void {
  module.define('panel_of_rows', { params: ['i32', 'i32', 'i32', 'i32'] }, (f, [b, rowStride, k, to]) => {
    const from = f.let('i32', b);
    f.for(
      to,
      i32.add(to, i32.mul(k, PANEL_BYTES)),
      (at) => {
        f.store(at, f32x4.load(from));
        f.store(at, f32x4.load(from, VECTOR_BYTES), VECTOR_BYTES);
        f.increase(from, rowStride);
      },
      PANEL_BYTES,
    );
  });
}

function definePanelOfAny(module: ModuleBuilder): void {
  const params = ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'] as const;
  module.define('panel_of_any', { params }, (f, [b, rowStride, columnStride, k, count, to]) => {
    const row = f.let('i32', b);
    const from = f.local('i32');
    f.for(
      to,
      i32.add(to, i32.mul(k, PANEL_BYTES)),
      (at) => {
        f.store(at, f.constant(0));
        f.store(at, f.constant(0), VECTOR_BYTES);
        f.set<'i32'>(from, row);
        f.for(
          at,
          i32.add(at, i32.mul(count, FLOAT_BYTES)),
          (element) => {
            f.storeF32(element, f32.load(from));
            f.increase(from, columnStride);
          },
          FLOAT_BYTES,
        );
        f.increase(row, rowStride);
      },
      PANEL_BYTES,
    );
  });
}

/** For a B whose columns lie in one piece each: 4 × 4 floats are transposed in registers. */
function definePanelOfColumns(module: ModuleBuilder): void {
  module.define('panel_of_columns', { params: ['i32', 'i32', 'i32', 'i32'] }, (f, [b, columnStride, k, to]) => {
    const from = f.let('i32', b);
    const at = f.let('i32', to);
    const whole = f.let('i32', i32.and(k, -4));
    f.for(
      0,
      whole,
      () => {
        transposeFour(f, from, columnStride, at);
        transposeFour(f, i32.add(from, i32.mul(columnStride, 4)), columnStride, i32.add(at, VECTOR_BYTES));
        f.increase(from, 4 * FLOAT_BYTES);
        f.increase(at, 4 * PANEL_BYTES);
      },
      4,
    );
    f.call('panel_of_any', [from, FLOAT_BYTES, columnStride, i32.sub(k, whole), TILE_COLUMNS, at]);
  });
}

/** Four pieces of four floats, `stride` apart, become half of four panel rows. */
function transposeFour(f: FunctionBuilder, from: I32, stride: I32, to: I32): void {
  const source = f.let('i32', from);
  const column = (): V128 => {
    const loaded = f.let('v128', f32x4.load(source));
    f.increase(source, stride);
    return loaded;
  };
  const [a, b, c, d] = [column(), column(), column(), column()];
  const low = (x: V128, y: V128): V128 => f.let('v128', f32x4.shuffle(x, y, [0, 4, 1, 5]));
  const high = (x: V128, y: V128): V128 => f.let('v128', f32x4.shuffle(x, y, [2, 6, 3, 7]));
  const [ab0, ab1, cd0, cd1] = [low(a, b), high(a, b), low(c, d), high(c, d)];
  const target = f.let('i32', to);
  f.store(target, f32x4.shuffle(ab0, cd0, [0, 1, 4, 5]));
  f.store(target, f32x4.shuffle(ab0, cd0, [2, 3, 6, 7]), PANEL_BYTES);
  f.store(target, f32x4.shuffle(ab1, cd1, [0, 1, 4, 5]), 2 * PANEL_BYTES);
  f.store(target, f32x4.shuffle(ab1, cd1, [2, 3, 6, 7]), 3 * PANEL_BYTES);
}
