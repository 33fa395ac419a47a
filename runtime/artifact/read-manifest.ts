/**
 * @file Reads a `manifest.json` that may come from a stranger: every field has its type and its range, sizes add up,
 * addresses lie in memory, and the text is, byte for byte, the one that these fields have.
 *
 * Whoever makes the artifact can sign anything, so the hash tells of damage only; the ranges protect the reader.
 */
import { fail } from './errors.ts';
import { readInteger, readList, readObject, readString, readWord, refuse } from './fields.ts';
import type { Field } from './fields.ts';
import {
  CHUNK_BYTES,
  FORMAT,
  FORMAT_VERSION,
  IR_FILES,
  LOADER_FILES,
  MANIFEST_FILE,
  TOKENIZER_FILES,
  WASM_FILE,
  chunkFile,
  manifestText,
  textToSign,
} from './manifest.ts';
import type { FileEntry, Manifest } from './manifest.ts';
import { readProgram } from './read-program.ts';

/** Bytes; a larger manifest is not read. */
export const MAX_MANIFEST_BYTES = 64 * 1024 * 1024;
const MAX_WASM_BYTES = 256 * 1024 * 1024;
const MAX_TEXT_BYTES = 256 * 1024 * 1024;
const MAX_CHUNKS = 256;

const SOURCE = 'give the folder, or its address, that radialc compile wrote';

/**
 * The manifest in these bytes.
 * @param sha256 - hash of bytes, in hexadecimal
 * @throws RadialError RC0802 (not a manifest), RC0803 (a field), RC0804 (version), RC0805 (hash)
 */
export async function readManifest(
  bytes: Uint8Array,
  sha256: (bytes: Uint8Array) => Promise<string> | string,
): Promise<Manifest> {
  const text = decode(bytes);
  const manifest = readFields(parse(text));
  const signed = await sha256(new TextEncoder().encode(textToSign(manifest)));
  if (text !== manifestText(manifest) || signed !== manifest.sha256) {
    fail('RC0805', 'the manifest is not as it was written', {
      place: { file: MANIFEST_FILE },
      help: 'compile the artifact again, or copy it again from its source; it cannot be edited',
    });
  }
  return manifest;
}

/** Whether the bytes claim to be a manifest of this format, in any version and state. */
export function looksLikeManifest(bytes: Uint8Array): boolean {
  return new TextDecoder().decode(bytes.subarray(0, 200)).includes(`"${FORMAT}"`);
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return fail('RC0802', 'the manifest is not UTF-8 text', { place: { file: MANIFEST_FILE }, help: SOURCE });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const html = /^\s*<(!doctype|html)/i.test(text);
    return fail('RC0802', `the manifest is ${html ? 'an HTML page' : 'not JSON'}`, {
      place: { file: MANIFEST_FILE },
      help: SOURCE,
    });
  }
}

function readFields(value: unknown): Manifest {
  checkVersion(value);
  const names = [
    'format',
    'formatVersion',
    'producer',
    'program',
    'wasm',
    'weights',
    'tokenizer',
    'loader',
    'ir',
    'sha256',
  ] as const;
  const root = readObject({ value, path: '' }, names);
  const producer = readObject(root.producer, ['name', 'version']);
  const manifest: Manifest = {
    format: readWord(root.format, [FORMAT]),
    formatVersion: readWord(root.formatVersion, [FORMAT_VERSION]),
    producer: { name: readString(producer.name, 100), version: readString(producer.version, 100) },
    program: readProgram(root.program),
    wasm: readFile(root.wasm, [WASM_FILE], MAX_WASM_BYTES),
    weights: readList(root.weights, MAX_CHUNKS, readChunk),
    tokenizer: readFiles(root.tokenizer, TOKENIZER_FILES),
    loader: readFiles(root.loader, LOADER_FILES),
    ir: readFiles(root.ir, IR_FILES),
    sha256: readHash(root.sha256),
  };
  checkWeights(manifest, root.weights);
  return manifest;
}

/** A newer version may have other fields, so this comes first. */
function checkVersion(value: unknown): void {
  const fields: Partial<Record<'format' | 'formatVersion', unknown>> =
    typeof value === 'object' && value !== null ? value : {};
  if (fields.format !== FORMAT) {
    fail('RC0802', `the manifest is not one of an artifact: "format" is not "${FORMAT}"`, {
      place: { file: MANIFEST_FILE },
      help: SOURCE,
    });
  }
  const version = fields.formatVersion;
  if (version !== FORMAT_VERSION && typeof version === 'number') {
    fail('RC0804', `the artifact has format version ${version}, this runtime reads version ${FORMAT_VERSION}`, {
      place: { file: MANIFEST_FILE },
      help: 'use the radialc that compiled it, or compile it again',
    });
  }
}

/** All chunks but the last are full, and together they are the weight image. */
function checkWeights({ weights, program }: Manifest, field: Field): void {
  weights.forEach(({ bytes }, index) => {
    if (index < weights.length - 1 && bytes !== CHUNK_BYTES) {
      refuse({ value: bytes, path: `${field.path}[${index}].bytes` }, `${CHUNK_BYTES}, as in every chunk but the last`);
    }
  });
  const sum = weights.reduce((total, { bytes }) => total + bytes, 0);
  const expected = program.memory.weightsBytes;
  if (sum !== expected) refuse({ value: sum, path: field.path }, `chunks of ${expected} bytes in all`);
}

function readChunk(field: Field, index: number): FileEntry {
  const { file, bytes, sha256 } = readObject(field, ['file', 'bytes', 'sha256']);
  const hash = readHash(sha256);
  return { file: readWord(file, [chunkFile(index, hash)]), bytes: readInteger(bytes, 1, CHUNK_BYTES), sha256: hash };
}

/** Some of the files of these names, in this order. */
function readFiles(field: Field, names: readonly string[]): readonly FileEntry[] {
  const entries = readList(field, names.length, (item) => readFile(item, names, MAX_TEXT_BYTES));
  const order = entries.map((entry) => names.indexOf(entry.file));
  if (order.some((place, i) => i > 0 && place <= (order[i - 1] ?? -1))) {
    refuse({ value: entries.map(({ file }) => file), path: field.path }, 'each file once, in order of name');
  }
  return entries;
}

function readFile(field: Field, names: readonly string[], most: number): FileEntry {
  const { file, bytes, sha256 } = readObject(field, ['file', 'bytes', 'sha256']);
  return { file: readWord(file, names), bytes: readInteger(bytes, 1, most), sha256: readHash(sha256) };
}

function readHash(field: Field): string {
  const hash = readString(field, 64);
  return /^[0-9a-f]{64}$/.test(hash) ? hash : refuse(field, '64 lower-case hexadecimal digits');
}
