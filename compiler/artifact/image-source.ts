/** @file Reads a written weight image back: weights by name, unpacked from their layouts, from chunks that are checked. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { PANEL, fail, panelBytes } from '../../ir/index.ts';
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
  const read = (at: number, count: number): ArrayBuffer => {
    const bytes = new Uint8Array(count);
    for (let done = 0; done < bytes.byteLength;) {
      const [index, offset] = [Math.floor((at + done) / CHUNK_BYTES), (at + done) % CHUNK_BYTES];
      const part = bytes.subarray(done, done + CHUNK_BYTES - offset);
      chunk(index).read(offset, part);
      done += part.byteLength;
    }
    return bytes.buffer;
  };
  const source: WeightSource = {
    names: () => [...byName.keys()],
    shape: (name) => byName.get(name)?.shape,
    read: (name, from, to) => {
      const weight = byName.get(name);
      const base = weight?.at;
      if (weight === undefined || typeof base !== 'number') throw new Error(`internal: no weight ${name} in the image`);
      if (weight.layout === 'rows') return new Float32Array(read(base + 4 * from, 4 * (to - from)));
      const size = panelBytes(weight.layout, weight.shape[1] ?? 0);
      const panelOf = weight.layout === 'panels' ? floatPanel : int8Panel;
      return unpack(weight, { from, to, panel: (index) => panelOf(read(base + size * index, size)) });
    },
  };
  const close = (): void => {
    for (const file of open.values()) file.close();
  };
  return { source, close };
}

/** Element (lane, column) of a panel. */
type Panel = (lane: number, column: number) => number;

function floatPanel(bytes: ArrayBuffer): Panel {
  const values = new Float32Array(bytes);
  return (lane, column) => values[column * PANEL + lane] ?? 0;
}

function int8Panel(bytes: ArrayBuffer): Panel {
  const [scales, values] = [new Float32Array(bytes, 0, PANEL), new Int8Array(bytes, 4 * PANEL)];
  return (lane, column) =>
    (scales[lane] ?? 0) * (values[2 * PANEL * Math.floor(column / 2) + 2 * lane + (column % 2)] ?? 0);
}

interface Part {
  readonly from: number;
  readonly to: number;
  readonly panel: (index: number) => Panel;
}

/** Elements [from, to) of the row-major matrix that lies in panels. */
function unpack({ shape }: Weight, { from, to, panel: panelAt }: Part): Float32Array {
  const inner = shape[1] ?? 0;
  const result = new Float32Array(to - from);
  let [index, panel] = [-1, (() => 0) as Panel];
  for (let i = from; i < to; i++) {
    const [row, column] = [Math.floor(i / inner), i % inner];
    if (Math.floor(row / PANEL) !== index) {
      index = Math.floor(row / PANEL);
      panel = panelAt(index);
    }
    result[i - from] = panel(row % PANEL, column);
  }
  return result;
}
