/**
 * @file The weights of a checkpoint: tensors by name, read from their files on demand and widened to f32.
 *
 * What is read is finite: every reader, the compiler and the interpreter alike, is told of NaN and infinities here.
 */
import { fail, nearest } from '../../../ir/diagnostics/diagnostic.ts';
import type { WeightSource } from '../../../ir/index.ts';
import { bytesPerWeight, isWeightDtype, widenBf16, widenF16 } from './dtypes.ts';
import { checkFinite } from './finite.ts';
import type { TensorEntry } from './header.ts';
import { openSafetensorsInFolder } from './safetensors.ts';
import type { SafetensorsFile } from './safetensors.ts';
import { openShards } from './shards.ts';
import { mustBeFolder } from '../files.ts';
import { quote } from '../quote.ts';

/** `read` throws RC0117 (a dtype that weights cannot have), RC0118 (no such tensor), RC0119 (a number is not finite). */
export interface Weights extends WeightSource {
  /** As stored, for example `F16` or `I64`; undefined when there is no tensor of that name. */
  dtype(name: string): string | undefined;
  /** The file that holds the tensor, for diagnostics. */
  file(name: string): string | undefined;
  /** Elements of all tensors. */
  readonly totalElements: number;
  /** Bytes of all tensors, as stored. */
  readonly totalBytes: number;
  /** Closes the files; nothing can be read afterwards. */
  close(): void;
}

interface StoredTensor extends TensorEntry {
  readonly name: string;
  readonly home: SafetensorsFile;
}

/** 16-bit weights pass through a buffer of this many elements on their way to f32. */
const CHUNK_ELEMENTS = 1 << 18;

/**
 * Opens the weights of a checkpoint folder and checks all of their files, as far as that goes without reading the data.
 * @throws RadialError RC0101 – RC0116, RC0120 – RC0122, RC0130 – RC0142, RC0150 – RC0155
 */
export function openWeights(folder: string): Weights {
  mustBeFolder(folder);
  return weightsOf(openShards(folder), folder);
}

/** The tensors of one safetensors file of a folder. @throws as {@link openWeights} */
export function openWeightsFile(folder: string, name: string): Weights {
  return weightsOf([openSafetensorsInFolder(folder, name)], folder);
}

/** The tensors of both; where they share a name, those of `first`. */
export function joinWeights(first: Weights, second: Weights): Weights {
  const homeOf = (name: string): Weights => (first.shape(name) === undefined ? second : first);
  return {
    shape: (name) => homeOf(name).shape(name),
    dtype: (name) => homeOf(name).dtype(name),
    file: (name) => homeOf(name).file(name),
    names: () => [...new Set([...first.names(), ...second.names()])],
    read: (name, from, to) => homeOf(name).read(name, from, to),
    totalElements: first.totalElements + second.totalElements,
    totalBytes: first.totalBytes + second.totalBytes,
    close: () => {
      first.close();
      second.close();
    },
  };
}

function weightsOf(files: readonly SafetensorsFile[], folder: string): Weights {
  const tensors = new Map<string, StoredTensor>();
  for (const home of files) {
    for (const [name, entry] of home.tensors) tensors.set(name, { ...entry, name, home });
  }
  const entries = [...tensors.values()];
  return {
    shape: (name) => tensors.get(name)?.shape,
    dtype: (name) => tensors.get(name)?.dtype,
    file: (name) => tensors.get(name)?.home.path,
    names: () => [...tensors.keys()],
    read: (name, from, to) => readRange(tensors.get(name) ?? notFound(name, tensors, folder), from, to),
    totalElements: entries.reduce((sum, { elements }) => sum + elements, 0),
    totalBytes: entries.reduce((sum, { begin, end }) => sum + end - begin, 0),
    close: () => {
      for (const file of files) file.close();
    },
  };
}

function notFound(name: string, tensors: ReadonlyMap<string, StoredTensor>, folder: string): never {
  const near = nearest(name, [...tensors.keys()]);
  return fail('RC0118', `the checkpoint has no tensor ${quote(name)}`, {
    place: { file: folder },
    help: near === undefined ? 'these weights are of another model, or incomplete' : `did you mean ${quote(near)}?`,
  });
}

function readRange(tensor: StoredTensor, from: number, to: number): Float32Array {
  const { name, dtype, elements, begin, home } = tensor;
  if (!(Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from <= to && to <= elements)) {
    throw new Error(`internal: elements ${from} to ${to} of ${quote(name)}, which has ${elements}`);
  }
  if (!isWeightDtype(dtype)) {
    return fail('RC0117', `the tensor has dtype ${dtype}, which weights cannot have`, {
      place: { file: home.path, subject: `tensor ${quote(name)}` },
      help: 'save the weights as F32, F16 or BF16',
    });
  }
  const result = new Float32Array(to - from);
  const start = begin + from * bytesPerWeight[dtype];
  if (dtype === 'F32') home.readData(start, new Uint8Array(result.buffer));
  else readHalves(home, start, result, dtype === 'F16' ? widenF16 : widenBf16);
  checkFinite(result, { tensor: name, file: home.path, offset: from });
  return result;
}

function readHalves(home: SafetensorsFile, start: number, result: Float32Array, widen: typeof widenF16): void {
  const buffer = new Uint16Array(Math.min(CHUNK_ELEMENTS, result.length));
  for (let done = 0; done < result.length; done += buffer.length) {
    const halves = buffer.subarray(0, Math.min(buffer.length, result.length - done));
    home.readData(start + done * 2, new Uint8Array(halves.buffer, 0, halves.byteLength));
    widen(halves, result.subarray(done, done + halves.length));
  }
}
