/** @file Rows of a linear kernel's input as 16-bit whole numbers and a scale: `roundRow` of the IR, with the same results. */
import { LEAST_PEAK, inputLevels } from '../../../ir/index.ts';
import { FLOAT_BYTES, f32, f32x4, i16x8, i32, i32x4 } from '../asm/values.ts';
import type { ViewShape } from '../plan/layout.ts';
import { ROUNDED, ROUNDED_HEADER, roundedColumns } from '../plan/scratch.ts';
import { eachColumn, eachRow, maxLanes } from './loops.ts';
import type { Operand, Site } from './site.ts';

const INT16_BYTES = 2;

/** Rounds the rows of x into the target's own buffer. */
export function rounded(site: Site, x: Operand<ViewShape>): Operand<ViewShape> {
  const { columns } = x.shape;
  const levels = inputLevels(columns);
  const stride = roundedColumns(columns) * FLOAT_BYTES;
  const shape: ViewShape = { kind: 'view', stride, columns, routed: false, fixedRows: null };
  const out: Operand<ViewShape> = { address: site.layout.buffer(ROUNDED).at, shape };
  eachRow(site, `i16_round_${levels}`, [x, out], (f, { at: [row, to] }) => {
    if (row === undefined || to === undefined) return;
    const peaks = f.let('v128', f32x4.splat(LEAST_PEAK));
    eachColumn(f, columns, (lanes, at) => {
      f.set(peaks, f32x4.max(peaks, f32x4.abs(lanes.load(i32.add(row, at)))));
    });
    const peak = f.let('f32', maxLanes(peaks));
    f.storeF32(to, f32.div(peak, levels));
    const factor = f.let('v128', f32x4.splat(f32.div(levels, peak)));
    const target = f.let('i32', i32.add(to, ROUNDED_HEADER));
    eachColumn(f, columns, (lanes, at) => {
      const whole = f.let('v128', i32x4.fromFloats(f32x4.nearest(f32x4.mul(lanes.load(i32.add(row, at)), factor))));
      lanes.storeInts(f, target, i16x8.fromInts(whole, whole));
      f.increase(target, lanes.columns * INT16_BYTES);
    });
  });
  return out;
}
