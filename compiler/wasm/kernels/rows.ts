/** @file Kernels that bring rows to their place: embeddings, the class token, one row of many, the patches of an image. */
import { PANEL, panelBytes } from '../../../ir/index.ts';
import type { FunctionBuilder } from '../asm/function.ts';
import { FLOAT_BYTES, f32, i32 } from '../asm/values.ts';
import type { I32 } from '../asm/values.ts';
import { eachRow } from './loops.ts';
import { numberOf, outOf, viewOf, weightOf } from './site.ts';
import type { Operand, Site } from './site.ts';

export function emitEmbed(site: Site): void {
  const [ids, table, offset] = [viewOf(site, 'ids'), weightOf(site, 'table'), numberOf(site, 'offset')];
  const columns = table.shape.shape[1] ?? 0;
  eachRow(site, `f32_embed_${offset}`, [ids, table, outOf(site)], (f, { at: [id, base, to] }) => {
    if (id === undefined || base === undefined || to === undefined) return;
    const row = f.let('i32', i32.add(i32.load(id), offset));
    if (table.shape.layout === 'rows') {
      f.copyBytes(to, i32.add(base, i32.mul(row, columns * FLOAT_BYTES)), columns * FLOAT_BYTES);
      return;
    }
    if (table.shape.layout === 'int8') {
      copyInt8(f, { base, row, to, columns });
      return;
    }
    const panel = i32.mul(i32.div(row, PANEL), columns * PANEL * FLOAT_BYTES);
    const from = f.let('i32', i32.add(i32.add(base, panel), i32.mul(i32.rem(row, PANEL), FLOAT_BYTES)));
    f.for(
      0,
      columns * FLOAT_BYTES,
      (at) => {
        f.storeF32(i32.add(to, at), f32.load(from));
        f.increase(from, PANEL * FLOAT_BYTES);
      },
      FLOAT_BYTES,
    );
  });
}

interface Int8Row {
  readonly base: I32;
  readonly row: I32;
  readonly to: I32;
  readonly columns: number;
}

/** The row, as its scale times its whole numbers. */
function copyInt8(f: FunctionBuilder, { base, row, to, columns }: Int8Row): void {
  const lane = i32.rem(row, PANEL);
  const panel = f.let('i32', i32.add(base, i32.mul(i32.div(row, PANEL), panelBytes('int8', columns))));
  const scale = f.let('f32', f32.load(i32.add(panel, i32.mul(lane, FLOAT_BYTES))));
  const from = f.let('i32', i32.add(panel, i32.add(PANEL * FLOAT_BYTES, i32.mul(lane, 2))));
  f.for(
    0,
    columns * FLOAT_BYTES,
    (at) => {
      f.storeF32(i32.add(to, at), f32.mul(scale, f32.fromInt(i32.loadByte(from))));
      // Column 2 i + 1 is beside 2 i, and 2 i + 2 in the next row of pairs.
      f.increase(from, i32.add(1, i32.mul(i32.and(i32.div(at, FLOAT_BYTES), 1), 2 * PANEL - 2)));
    },
    FLOAT_BYTES,
  );
}

export function emitPrepend(site: Site): void {
  const [x, out] = [viewOf(site, 'x'), outOf(site)];
  const bytes = x.shape.columns * FLOAT_BYTES;
  const operands = [x, weightOf(site, 'row'), out];
  eachRow(site, 'f32_prepend', operands, (f, { at: [next, first, to], i }) => {
    if (next === undefined || first === undefined || to === undefined) return;
    f.if(
      i32.eq(i, 0),
      () => f.copyBytes(to, first, bytes),
      () => f.copyBytes(to, i32.sub(next, x.shape.stride), bytes),
    );
  });
}

export function emitSelect(site: Site): void {
  const [x, row, out] = [viewOf(site, 'x'), numberOf(site, 'row'), outOf(site)];
  const one: Operand = { ...x, shape: { ...x.shape, routed: false } };
  eachRow(
    { ...site, rows: 1 },
    `f32_select_${row}${x.shape.routed ? 'r' : ''}`,
    [one, out],
    (f, { at: [start, to], list }) => {
      if (start === undefined || to === undefined) return;
      const index = x.shape.routed ? i32.load(list, row * FLOAT_BYTES) : row;
      f.copyBytes(to, i32.add(start, i32.mul(index, x.shape.stride)), x.shape.columns * FLOAT_BYTES);
    },
  );
}

/** Patch (y, x) is row y · (width / size) + x; a row is [channels, size, size]. */
export function emitPatchify(site: Site): void {
  const [channels, height, width, size] = ['channels', 'height', 'width', 'size'].map((attr) =>
    numberOf(site, attr),
  ) as [number, number, number, number];
  const across = width / size;
  const lineBytes = size * FLOAT_BYTES;
  const pixels: Operand = {
    ...viewOf(site, 'pixels'),
    shape: { ...viewOf(site, 'pixels').shape, stride: 0, routed: false },
  };
  const name = `f32_patchify_${channels}x${height}x${width}_${size}`;
  const rows = (height / size) * across;
  eachRow({ ...site, rows }, name, [pixels, outOf(site)], (f, { at: [image, to], i }) => {
    if (image === undefined || to === undefined) return;
    const corner = i32.add(
      i32.mul(i32.div(i, across), size * width * FLOAT_BYTES),
      i32.mul(i32.rem(i, across), lineBytes),
    );
    f.for(0, channels, (channel) => {
      const line = f.let('i32', i32.add(i32.add(image, corner), i32.mul(channel, height * width * FLOAT_BYTES)));
      f.for(0, size, () => {
        f.copyBytes(to, line, lineBytes);
        f.increase(line, width * FLOAT_BYTES);
        f.increase(to, lineBytes);
      });
    });
  });
}
