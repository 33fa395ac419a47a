/** @file Norms of what a block does to the hidden state, for whoever watches the program. */
import { FLOAT_BYTES, f32, f32x4, i32 } from '../asm/values.ts';
import { eachColumn, eachRow, sumLanes } from './loops.ts';
import { outOf, viewOf } from './site.ts';
import type { Site } from './site.ts';

export function emitProbe(site: Site): void {
  const x = viewOf(site, 'x');
  eachRow(site, 'f32_probe', [x, viewOf(site, 'f'), outOf(site)], (fn, { at: [left, right, to] }) => {
    if (left === undefined || right === undefined || to === undefined) return;
    const squares = [0, 1, 2].map(() => fn.let('v128', f32x4.splat(0)));
    const [a, b, sum] = [fn.local('v128'), fn.local('v128'), fn.local('v128')];
    eachColumn(fn, x.shape.columns, (lanes, at) => {
      fn.set<'v128'>(a, lanes.load(i32.add(left, at)));
      fn.set<'v128'>(b, lanes.load(i32.add(right, at)));
      fn.set<'v128'>(sum, f32x4.add(a, b));
      for (const [i, value] of [a, b, sum].entries()) {
        const total = squares[i] ?? sum;
        fn.set<'v128'>(total, f32x4.add(total, f32x4.mul(value, value)));
      }
    });
    squares.forEach((total, i) => fn.storeF32(to, f32.sqrt(sumLanes(total)), i * FLOAT_BYTES));
  });
}
