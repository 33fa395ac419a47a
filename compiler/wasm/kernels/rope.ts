/** @file Rotary positions: columns i and i + head_dim / 2 of a head turn by the angle of the row's position. */
import { FLOAT_BYTES, f32x4, i32 } from '../asm/values.ts';
import { eachColumn, eachRow } from './loops.ts';
import { numberOf, outOf, viewOf, weightOf } from './site.ts';
import type { Site } from './site.ts';

export function emitRope(site: Site): void {
  const [x, headDim] = [viewOf(site, 'x'), numberOf(site, 'head_dim')];
  const half = headDim / 2;
  const halfBytes = half * FLOAT_BYTES;
  const operands = [x, viewOf(site, 'positions'), weightOf(site, 'cos'), weightOf(site, 'sin'), outOf(site)];
  eachRow(site, `f32_rope_${headDim}`, operands, (f, { at: [from, position, cos, sin, to] }) => {
    if (from === undefined || position === undefined || cos === undefined || sin === undefined || to === undefined) {
      return;
    }
    const angles = f.let('i32', i32.mul(i32.load(position), halfBytes));
    f.increase(cos, angles);
    f.increase(sin, angles);
    f.for(0, x.shape.columns / headDim, () => {
      eachColumn(f, half, (lanes, at) => {
        const low = f.let('v128', lanes.load(i32.add(from, at)));
        const high = f.let('v128', lanes.load(i32.add(i32.add(from, halfBytes), at)));
        const [c, s] = [f.let('v128', lanes.load(i32.add(cos, at))), f.let('v128', lanes.load(i32.add(sin, at)))];
        lanes.store(f, i32.add(to, at), f32x4.sub(f32x4.mul(low, c), f32x4.mul(high, s)));
        lanes.store(f, i32.add(i32.add(to, halfBytes), at), f32x4.add(f32x4.mul(high, c), f32x4.mul(low, s)));
      });
      f.increase(from, headDim * FLOAT_BYTES);
      f.increase(to, headDim * FLOAT_BYTES);
    });
  });
}
