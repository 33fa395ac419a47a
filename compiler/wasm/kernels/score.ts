/** @file The score of a gate, from the products that the linear before it has left. */
import { VECTOR_BYTES, f32, f32x4 } from '../asm/values.ts';
import { eachRow, sumLanes } from './loops.ts';
import { numberOf, optionalWeight, outOf, viewOf } from './site.ts';
import type { Site } from './site.ts';

export function emitScore(site: Site): void {
  const bias = optionalWeight(site, 'bias');
  const [columns, eps] = [numberOf(site, 'columns'), numberOf(site, 'eps')];
  const operands = [viewOf(site, 'partial'), outOf(site), ...(bias === undefined ? [] : [bias])];
  eachRow(site, `f32_score_${columns}_${eps}`, operands, (f, { at: [partial, to, biasAt] }) => {
    if (partial === undefined || to === undefined) return;
    const [dot, square] = [f.let('v128', f32x4.load(partial)), f.let('v128', f32x4.load(partial, VECTOR_BYTES))];
    const rms = f32.sqrt(f32.add(f32.mul(sumLanes(square), 1 / columns), eps));
    const score = f32.div(sumLanes(dot), rms);
    f.storeF32(to, biasAt === undefined ? score : f32.add(score, f32.load(biasAt)));
  });
}
