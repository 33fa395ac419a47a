/** @file Kernels that treat every element alike. */
import type { Activation } from '../../../ir/index.ts';
import { FLOAT_BYTES, f32x4, i32 } from '../asm/values.ts';
import { activate } from './functions.ts';
import { eachColumn, eachRow } from './loops.ts';
import { numberOf, operandOf, optionalView, outOf, textOf, viewOf } from './site.ts';
import type { Operand, Site } from './site.ts';
import type { FunctionBuilder } from '../asm/function.ts';
import type { V128 } from '../asm/values.ts';

export function emitUnary(site: Site): void {
  const name = textOf(site, 'function') as Activation;
  emitMap(site, `f32_${name}`, (f, value) => activate(site.module, f, name, value));
}

export function emitScale(site: Site): void {
  const by = numberOf(site, 'by');
  emitMap(site, `f32_scale_${by}`, (f, value) => f32x4.mul(value, f.constant(by)));
}

export function emitCopy(site: Site): void {
  const x = viewOf(site, 'x');
  eachRow(site, 'f32_copy', [x, outOf(site)], (f, { at: [from, to] }) => {
    if (from !== undefined && to !== undefined) f.copyBytes(to, from, x.shape.columns * FLOAT_BYTES);
  });
}

function emitMap(site: Site, name: string, map: (f: FunctionBuilder, value: V128) => V128): void {
  const x = viewOf(site, 'x');
  eachRow(site, name, [x, outOf(site)], (f, { at: [from, to] }) => {
    if (from === undefined || to === undefined) return;
    eachColumn(f, x.shape.columns, (lanes, at) => {
      lanes.store(f, i32.add(to, at), map(f, lanes.load(i32.add(from, at))));
    });
  });
}

export function emitBinary(site: Site): void {
  const [a, b] = [viewOf(site, 'a'), operandOf(site, 'b')];
  if (b === undefined) throw new Error('internal: binary needs b');
  const name = textOf(site, 'function') ?? 'add';
  const combine = name === 'add' ? f32x4.add : f32x4.mul;
  const probability = optionalView(site, 'probability');
  const bStride = weightStride(b);
  const operands = [a, b, outOf(site), ...(probability === undefined ? [] : [probability])];
  eachRow(site, `f32_${name}${probability === undefined ? '' : '_weighted'}`, operands, (f, { at, i }) => {
    const [left, right, to, probabilityAt] = at;
    if (left === undefined || right === undefined || to === undefined) return;
    if (bStride !== 0) f.increase(right, i32.mul(i, bStride));
    const factor = probabilityAt && f.let('v128', f32x4.loadSplat(probabilityAt));
    eachColumn(f, a.shape.columns, (lanes, offset) => {
      const second = lanes.load(i32.add(right, offset));
      const scaled = factor === undefined ? second : f32x4.mul(factor, second);
      lanes.store(f, i32.add(to, offset), combine(lanes.load(i32.add(left, offset)), scaled));
    });
  });
}

/** Bytes between the rows of a weight that has a row for each row; 0 for one row, and for views. */
function weightStride({ shape }: Operand): number {
  if (shape.kind === 'view' || shape.shape.length < 2 || shape.shape[0] === 1) return 0;
  return (shape.shape[1] ?? 0) * FLOAT_BYTES;
}
