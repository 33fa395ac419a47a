/** @file Reads a written weight image back: weights by name, unpacked from their layouts, from chunks that are checked. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { PANEL, fail } from '../../ir/index.ts';
import type { Weight, WeightSource } from '../../ir/index.ts';
import { CHUNK_BYTES } from '../../runtime/artifact/index.ts';
import type { FileEntry } from '../../runtime/artifact/index.ts';
import { openNamed } from '../frontend/files.ts';
import type { OpenFile } from '../frontend/files.ts';

/** All bytes of a file that the manifest lists. @throws RadialError RC0132, RC0134, RC0835 (not as it was written) */
export function readListed(dir: string, entry: FileEntry): Uint8Array {
  const file = openListed(dir, entry);
  try {
    const bytes = new Uint8Array(entry.bytes);
    file.read(0, bytes);
    return bytes;
  } finally {
    file.close();
  }
}

/** Opens a listed file whose length and hash are right; read in pieces, so that chunks are never whole in memory. */
function openListed(dir: string, entry: FileEntry): OpenFile {
  const path = join(dir, entry.file);
  const file = openNamed(path);
  try {
    const hash = createHash('sha256');
    const piece = new Uint8Array(Math.min(1 << 20, file.size));
    for (let at = 0; at < file.size && file.size === entry.bytes; at += piece.byteLength) {
      const part = piece.subarray(0, file.size - at);
      file.read(at, part);
      hash.update(part);
    }
    if (hash.digest('hex') === entry.sha256) return file;
  } catch (error) {
    file.close();
    throw error;
  }
  file.close();
  return fail('RC0835', 'the file is not as it was written', {
    place: { file: path },
    help: 'compile the program again',
  });
}

/** The weights of an artifact, unpacked on demand; open until `close`. */
export function openImage(
  dir: string,
  chunks: readonly FileEntry[],
  weights: readonly Weight[],
): { readonly source: WeightSource; readonly close: () => void } {
  const byName = new Map<string, Weight>(weights.map((weight) => [weight.name, weight]));
  const open = new Map<number, OpenFile>();
  const chunk = (index: number): OpenFile => {
    const entry = chunks[index];
    if (entry === undefined) {
      return fail('RC0835', `the weight image has no chunk ${index}, but kernels.rir has weights in it`, {
        place: { file: dir },
        help: 'compile the program again',
      });
    }
    const file = open.get(index) ?? openListed(dir, entry);
    open.set(index, file);
    return file;
  };
  const floats = (at: number, count: number): Float32Array => {
    const bytes = new Uint8Array(count * 4);
    for (let done = 0; done < bytes.byteLength;) {
      const [index, offset] = [Math.floor((at + done) / CHUNK_BYTES), (at + done) % CHUNK_BYTES];
      const part = bytes.subarray(done, done + CHUNK_BYTES - offset);
      chunk(index).read(offset, part);
      done += part.byteLength;
    }
    return new Float32Array(bytes.buffer);
  };
  const source: WeightSource = {
    names: () => [...byName.keys()],
    shape: (name) => byName.get(name)?.shape,
    read: (name, from, to) => {
      const weight = byName.get(name);
      const base = weight?.at;
      if (weight === undefined || typeof base !== 'number') throw new Error(`internal: no weight ${name} in the image`);
      if (weight.layout === 'rows') return floats(base + 4 * from, to - from);
      return unpack(weight, { from, to, floats: (at, count) => floats(base + 4 * at, count) });
    },
  };
  const close = (): void => {
    for (const file of open.values()) file.close();
  };
  return { source, close };
}

interface Part {
  readonly from: number;
  readonly to: number;
  /** Elements of the packed weight. */
  readonly floats: (at: number, count: number) => Float32Array;
}

/** Elements [from, to) of the row-major matrix that lies in panels. */
function unpack({ shape }: Weight, { from, to, floats }: Part): Float32Array {
  const inner = shape[1] ?? 0;
  const panelSize = PANEL * inner;
  const result = new Float32Array(to - from);
  let panel = -1;
  let values: Float32Array = new Float32Array();
  for (let i = from; i < to; i++) {
    const [row, column] = [Math.floor(i / inner), i % inner];
    if (Math.floor(row / PANEL) !== panel) {
      panel = Math.floor(row / PANEL);
      values = floats(panel * panelSize, panelSize);
    }
    result[i - from] = values[column * PANEL + (row % PANEL)] ?? 0;
  }
  return result;
}
