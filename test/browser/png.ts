/** @file Reads PNG files, as far as a browser's screenshots go: eight bits, RGB or RGBA, not interlaced. */
import assert from 'node:assert/strict';
import { inflateSync } from 'node:zlib';

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Of the pixel, as 0xRRGGBB. */
  readonly at: (x: number, y: number) => number;
}

export function readPng(bytes: Buffer): Picture {
  const [width, height, colour] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20), bytes[25]];
  assert.ok(bytes[24] === 8 && (colour === 2 || colour === 6) && bytes[28] === 0, 'another kind of PNG');
  const size = colour === 2 ? 3 : 4;
  const data: Buffer[] = [];
  for (let at = 8; at < bytes.length; at += 12 + bytes.readUInt32BE(at)) {
    if (bytes.toString('latin1', at + 4, at + 8) === 'IDAT') {
      data.push(bytes.subarray(at + 8, at + 8 + bytes.readUInt32BE(at)));
    }
  }
  const rows = inflateSync(Buffer.concat(data));
  const stride = width * size;
  const pixels = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = rows[y * (stride + 1)] ?? 0;
    for (let i = 0; i < stride; i++) {
      const left = i < size ? 0 : (pixels[y * stride + i - size] ?? 0);
      const up = y === 0 ? 0 : (pixels[(y - 1) * stride + i] ?? 0);
      const corner = i < size || y === 0 ? 0 : (pixels[(y - 1) * stride + i - size] ?? 0);
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter] ?? 0;
      pixels[y * stride + i] = (rows[y * (stride + 1) + 1 + i] ?? 0) + guess;
    }
  }
  const channel = (x: number, y: number, c: number): number => pixels[y * stride + x * size + c] ?? 0;
  return { width, height, at: (x, y) => (channel(x, y, 0) << 16) | (channel(x, y, 1) << 8) | channel(x, y, 2) };
}

function paeth(a: number, b: number, c: number): number {
  const [pa, pb, pc] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
  if (pa <= pb && pa <= pc) return a;
  return pb <= pc ? b : c;
}
