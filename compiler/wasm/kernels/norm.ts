/** @file Layer norm and RMS norm of rows: mean first, then the variance around it. */
import type { FunctionBuilder, Local } from '../asm/function.ts';
import { f32, f32x4, i32 } from '../asm/values.ts';
import type { V128 } from '../asm/values.ts';
import { eachColumn, eachRow, sumLanes } from './loops.ts';
import type { Lanes } from './loops.ts';
import { numberOf, optionalWeight, outOf, textOf, viewOf, weightOf } from './site.ts';
import type { Operand, Site } from './site.ts';

export function emitNorm(site: Site): void {
  normInto(site, outOf(site));
}

/** Normalises the rows of the kernel's `x` with its `norm`, `gain` and `shift` into any view. */
export function normInto(site: Site, out: Operand): void {
  const x = viewOf(site, 'x');
  const shift = optionalWeight(site, 'shift');
  const columns = x.shape.columns;
  const [kind, eps] = [textOf(site, 'norm') ?? 'layer', numberOf(site, 'eps')];
  const operands = [x, out, weightOf(site, 'gain'), ...(shift === undefined ? [] : [shift])];
  eachRow(site, `f32_norm_${kind}_${eps}`, operands, (f, { at: [row, target, gain, shiftAt] }) => {
    if (row === undefined || target === undefined || gain === undefined) return;
    const mean =
      kind === 'layer'
        ? f.let(
            'v128',
            meanOf(f, columns, (lanes, at) => lanes.load(i32.add(row, at))),
          )
        : undefined;
    const centred = (lanes: Lanes, at: Local<'i32'>): V128 => {
      const value = lanes.load(i32.add(row, at));
      return mean === undefined ? value : lanes.only(f32x4.sub(value, mean));
    };
    const square = f.local('v128');
    const variance = meanOf(f, columns, (lanes, at) => {
      f.set<'v128'>(square, centred(lanes, at));
      return f32x4.mul(square, square);
    });
    const factor = f.let('v128', f32x4.splat(f32.div(1, f32.sqrt(f32.add(f32.lane(variance, 0), eps)))));
    eachColumn(f, columns, (lanes, at) => {
      const scaled = f32x4.mul(f32x4.mul(centred(lanes, at), factor), lanes.load(i32.add(gain, at)));
      const shifted = shiftAt === undefined ? scaled : f32x4.add(scaled, lanes.load(i32.add(shiftAt, at)));
      lanes.store(f, i32.add(target, at), shifted);
    });
  });
}

/** The mean of a value over all columns, in all lanes. */
function meanOf(f: FunctionBuilder, columns: number, value: (lanes: Lanes, at: Local<'i32'>) => V128): V128 {
  const sum = f.let('v128', f32x4.splat(0));
  eachColumn(f, columns, (lanes, at) => {
    f.set<'v128'>(sum, f32x4.add(sum, value(lanes, at)));
  });
  return f32x4.splat(f32.mul(sumLanes(sum), 1 / columns));
}
