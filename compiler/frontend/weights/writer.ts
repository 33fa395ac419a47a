/**
 * @file Writes safetensors files: streamed, and under a temporary name until they are complete.
 *
 * The same tensors give the same bytes. Tensors of wider dtypes come first, so that each is aligned to its element size.
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import { bytesPerWeight, f32ToBf16, f32ToF16 } from './dtypes.ts';
import type { WeightDtype } from './dtypes.ts';
import { quote } from '../quote.ts';
import { temporaryName } from '../write-whole.ts';

export interface TensorToWrite {
  readonly name: string;
  readonly dtype: WeightDtype;
  readonly shape: readonly number[];
  /** The elements in row-major order, whole or in parts; an iterable is read once, when its turn comes. */
  readonly data: Float32Array | Iterable<Float32Array>;
}

const CHUNK_ELEMENTS = 1 << 16;
const HEADER_ALIGNMENT = 8;
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * Writes a safetensors file, replacing one that is there. 16-bit weights are rounded to nearest, ties to even.
 * @throws RadialError RC0143 (the system refuses), RC0144 (a weight beyond the range of its dtype)
 */
export function writeSafetensors(...args: Parameters<typeof safetensorsWriter>): void {
  for (const _ of safetensorsWriter(...args)) continue;
}

/**
 * The same in steps, each of which writes a part of a tensor, so that the caller can do something else in between. Nothing is
 * left of a file whose steps are not all taken.
 */
export function* safetensorsWriter(
  path: string,
  tensors: Iterable<TensorToWrite>,
  metadata: Readonly<Record<string, string>> = {},
): Generator<void, void> {
  const list = [...tensors].toSorted((a, b) => bytesPerWeight[b.dtype] - bytesPerWeight[a.dtype]);
  const header = encodeHeader(list, metadata);
  const temporary = temporaryName(path);
  try {
    yield* writeFile({ path, temporary }, header, list);
    onDisk(path, () => {
      renameSync(temporary, path);
    });
  } finally {
    rmSync(temporary, { force: true });
  }
}

function encodeHeader(tensors: readonly TensorToWrite[], metadata: Readonly<Record<string, string>>): Uint8Array {
  const entries: [string, unknown][] = Object.keys(metadata).length === 0 ? [] : [['__metadata__', metadata]];
  const names = new Set(['__metadata__']);
  let begin = 0;
  for (const { name, dtype, shape } of tensors) {
    if (names.has(name) || LONE_SURROGATE.test(name)) {
      throw new Error(`internal: bad or repeated tensor name ${quote(name)}`);
    }
    names.add(name);
    const end = begin + elementsOf(shape) * bytesPerWeight[dtype];
    entries.push([name, { dtype, shape, data_offsets: [begin, end] }]);
    begin = end;
  }
  // Not an object literal: a tensor may be called __proto__.
  const text = `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`;
  const json = new TextEncoder().encode(text);
  const length = Math.ceil(json.byteLength / HEADER_ALIGNMENT) * HEADER_ALIGNMENT;
  const bytes = new Uint8Array(8 + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, 8);
  return bytes;
}

function* writeFile(
  { path, temporary }: { readonly path: string; readonly temporary: string },
  header: Uint8Array,
  tensors: readonly TensorToWrite[],
): Generator<void, void> {
  const fd = onDisk(path, () => openSync(temporary, 'wx'));
  try {
    const write = (bytes: Uint8Array): void => {
      for (let done = 0; done < bytes.byteLength;) {
        const from = done;
        done += onDisk(path, () => writeSync(fd, bytes, from));
      }
    };
    write(header);
    for (const tensor of tensors) yield* writeTensor(tensor, write);
    onDisk(path, () => {
      fsyncSync(fd);
    });
  } finally {
    closeSync(fd);
  }
}

function* writeTensor(tensor: TensorToWrite, write: (bytes: Uint8Array) => void): Generator<void, void> {
  const { name, dtype, shape, data } = tensor;
  let written = 0;
  for (const part of data instanceof Float32Array ? [data] : data) {
    for (let at = 0; at < part.length; at += CHUNK_ELEMENTS) {
      write(encode(part.subarray(at, at + CHUNK_ELEMENTS), dtype, name, written + at));
      yield;
    }
    written += part.length;
  }
  if (written !== elementsOf(shape)) {
    throw new Error(`internal: ${written} elements given for ${quote(name)} of shape [${shape.join(', ')}]`);
  }
}

/** `offset` is the index of the first value in its tensor. */
function encode(values: Float32Array, dtype: WeightDtype, name: string, offset: number): Uint8Array {
  if (dtype === 'F32') return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const [narrow, infinity] = dtype === 'F16' ? [f32ToF16, 0x7c00] : [f32ToBf16, 0x7f80];
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    const rounded = narrow(value);
    if ((rounded & 0x7fff) === infinity && Number.isFinite(value)) {
      fail('RC0144', `element ${offset + i} is ${value}, which ${dtype} cannot hold`, {
        place: { subject: `tensor ${quote(name)}` },
        help: dtype === 'F16' ? 'write the tensor as BF16 or F32' : 'write the tensor as F32',
      });
    }
    bits[i] = rounded;
  }
  return new Uint8Array(bits.buffer);
}

function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function onDisk<T>(path: string, operation: () => T): T {
  try {
    return operation();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return fail('RC0143', `the weights cannot be written (${code})`, {
      place: { file: path },
      help: code === 'ENOSPC' ? 'make room on the disk' : 'choose a folder that you may write to',
    });
  }
}
