/**
 * @file The weight image: all weights of a program in their layouts, one after the other, as they lie in linear memory.
 *
 *     rows       as the constant is
 *     panels     [ceil(out / PANEL)][in][PANEL]: element (o, i) at panel o / PANEL, column i, lane o % PANEL
 *     int8       the same, rounded: a panel is its scales, then [ceil(in / 2)][PANEL][2], columns 2 i and 2 i + 1 side by side
 */
import { INT8_MOST, PANEL, panelBytes, roundRow, weightBytes } from '../../ir/index.ts';
import type { KernelProgram, Weight, WeightSource } from '../../ir/index.ts';
import { createConstReaders } from './const-reader.ts';
import type { ConstReader } from './const-reader.ts';

/** Elements that are read at a time. */
const SLAB = 1 << 20;

export interface Piece {
  /** Byte offset in the image; pieces come in ascending order and do not overlap. What lies between them is zero. */
  readonly at: number;
  /** Valid until the next piece is asked for. */
  readonly bytes: Uint8Array;
}

/**
 * The image, piece by piece; the pieces that it holds at one time have a few megabytes.
 * @throws RadialError RC0118, RC0119, RC0833, naming the tensor
 */
export function* weightImage(program: KernelProgram, source: WeightSource): Generator<Piece, void> {
  const readerOf = createConstReaders(program.consts, source);
  let end = 0;
  for (const weight of inOrder(program.weights)) {
    if (weight.at < end) throw new Error(`internal: weight ${weight.name} overlaps the one before it`);
    let at = weight.at;
    for (const slab of slabsOf(weight, readerOf(weight.name))) {
      const bytes = new Uint8Array(slab.buffer, slab.byteOffset, slab.byteLength);
      yield { at, bytes };
      at += bytes.byteLength;
    }
    end = weight.at + weightBytes(weight);
    if (at !== end) {
      throw new Error(`internal: weight ${weight.name} has ${at - weight.at} bytes, expected ${end - weight.at}`);
    }
  }
}

/** Writes the image into memory that is zero. */
export async function fillWeights(
  program: KernelProgram,
  source: WeightSource,
  options: { readonly into: Uint8Array; readonly signal?: AbortSignal },
): Promise<void> {
  const { into, signal } = options;
  for (const { at, bytes } of weightImage(program, source)) {
    into.set(bytes, at);
    await turn(signal);
  }
}

/** Lets the event loop run, so that an interrupt is noticed. */
export async function turn(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  signal?.throwIfAborted();
}

type PlacedWeight = Weight & { readonly at: number };

function inOrder(weights: readonly Weight[]): readonly PlacedWeight[] {
  const placed = weights.map((weight): PlacedWeight => {
    if (weight.at === null) throw new Error(`internal: weight ${weight.name} has no place`);
    return { ...weight, at: weight.at };
  });
  return placed.sort((a, b) => a.at - b.at);
}

function slabsOf(weight: Weight, read: ConstReader): Generator<Slab, void> {
  if (weight.layout === 'rows') return rowSlabs(weight, read);
  return panelSlabs(weight, read, weight.layout === 'panels' ? packPanels : packInt8);
}

type Slab = Float32Array | Int8Array;

function* rowSlabs({ shape }: Weight, read: ConstReader): Generator<Float32Array, void> {
  const total = shape.reduce((product, size) => product * size, 1);
  for (let from = 0; from < total; from += SLAB) yield read(from, Math.min(from + SLAB, total));
}

function* panelSlabs(
  { name, shape }: Weight,
  read: ConstReader,
  pack: (matrix: Float32Array, rows: number, inner: number) => Slab,
): Generator<Slab, void> {
  const [out, inner] = shape;
  if (out === undefined || inner === undefined || shape.length !== 2) throw new Error(`internal: ${name} is no matrix`);
  const rows = Math.max(1, Math.floor(SLAB / (PANEL * inner))) * PANEL;
  for (let from = 0; from < out; from += rows) {
    const to = Math.min(from + rows, out);
    yield pack(read(from * inner, to * inner), to - from, inner);
  }
}

/** Rows of a matrix, (rows, inner), as panels; the lanes of absent rows are zero. */
export function packPanels(matrix: Float32Array, rows: number, inner: number): Float32Array {
  const packed = new Float32Array(Math.ceil(rows / PANEL) * PANEL * inner);
  for (let row = 0; row < rows; row++) {
    let to = Math.floor(row / PANEL) * PANEL * inner + (row % PANEL);
    for (let from = row * inner; from < (row + 1) * inner; from++, to += PANEL) packed[to] = matrix[from] ?? 0;
  }
  return packed;
}

/** The same as int8 with a scale for each row; absent rows are zero, their scales too. */
export function packInt8(matrix: Float32Array, rows: number, inner: number): Int8Array {
  const size = panelBytes('int8', inner);
  const packed = new Int8Array(Math.ceil(rows / PANEL) * size);
  const scales = new Float32Array(packed.buffer);
  for (let row = 0; row < rows; row++) {
    const [panel, lane] = [Math.floor(row / PANEL) * size, row % PANEL];
    const { scale, values } = roundRow(matrix.subarray(row * inner, (row + 1) * inner), INT8_MOST);
    scales[panel / 4 + lane] = scale;
    const start = panel + 4 * PANEL + 2 * lane;
    for (let k = 0; k < inner; k++) packed[start + 2 * PANEL * (k >> 1) + (k & 1)] = values[k] ?? 0;
  }
  return packed;
}
