/**
 * @file Strict JSON files: what `config.json` and the shard index are read with.
 *
 * Size and depth are limited; bad UTF-8, duplicate keys and numbers beyond 64-bit floats are errors. Objects have no
 * prototype, so that keys such as `__proto__` and `constructor` are keys like any other.
 */
import { join } from 'node:path';
import { fail } from '../../ir/diagnostics/diagnostic.ts';
import type { Place } from '../../ir/diagnostics/diagnostic.ts';
import { readInFolder } from './files.ts';
import { JsonScanner, lineAndColumn } from './json-scanner.ts';
import { quote } from './quote.ts';

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** A path into a document: keys and indices. */
export type JsonPath = readonly PropertyKey[];

export interface JsonDocument {
  readonly file: string;
  readonly value: JsonValue;
  /** Where the value at `path` stands, or, when there is none, the nearest value around it. */
  place(path: JsonPath): Place;
}

const MAX_BYTES = 10_000_000;
const MAX_DEPTH = 64;

/**
 * Reads a JSON file of a checkpoint folder.
 * @throws RadialError RC0132, RC0133, RC0134 (the file), RC0150 – RC0155 (its text).
 */
export function readJsonFile(folder: string, name: string): JsonDocument {
  return parseJson(readInFolder(folder, name, MAX_BYTES), join(folder, name));
}

/** Parses the bytes of a JSON file; a byte order mark is skipped. `file` is for diagnostics. */
export function parseJson(bytes: Uint8Array, file: string): JsonDocument {
  const text = decodeUtf8(bytes, file);
  const locate = lineAndColumn(file);
  const scanner = new JsonScanner(text, locate);
  const value = readValue(scanner, 0);
  scanner.end();
  return {
    file,
    value,
    place: (path) => ({
      ...locate(text, findOffset(text, path)),
      ...(path.length > 0 && { subject: describePath(path) }),
    }),
  };
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** For example `field "rope_scaling.factor"`. */
function describePath(path: JsonPath): string {
  return `field ${quote(path.map(String).join('.'))}`;
}

function decodeUtf8(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return fail('RC0154', 'the file is not valid UTF-8', { place: { file }, help: 'JSON files are UTF-8; save it so' });
  }
}

function readValue(scanner: JsonScanner, depth: number): JsonValue {
  if (depth > MAX_DEPTH) {
    scanner.fault('RC0152', `values are nested more than ${MAX_DEPTH} deep`, {
      help: 'nothing that is read here needs so many brackets; get the file from its source again',
    });
  }
  switch (scanner.peek()) {
    case '{':
      return readObject(scanner, depth);
    case '[':
      return readArray(scanner, depth);
    case '"':
      return scanner.string();
    case 't':
    case 'f':
    case 'n':
      return scanner.word();
    case '':
      return scanner.unexpected('a value');
    default:
      return scanner.number();
  }
}

function readObject(scanner: JsonScanner, depth: number): JsonObject {
  const object = Object.create(null) as Record<string, JsonValue>;
  scanner.expect('{');
  if (scanner.accept('}')) return object;
  do {
    scanner.peek();
    const at = scanner.offset;
    const key = scanner.string('a key in double quotes');
    if (key in object) {
      scanner.fault('RC0151', `the key ${quote(key)} is given twice`, {
        at,
        help: 'remove the one that is not meant; readers disagree on which counts',
      });
    }
    scanner.expect(':');
    object[key] = readValue(scanner, depth + 1);
  } while (scanner.accept(','));
  scanner.expect('}');
  return object;
}

function readArray(scanner: JsonScanner, depth: number): JsonValue[] {
  const array: JsonValue[] = [];
  scanner.expect('[');
  if (scanner.accept(']')) return array;
  do array.push(readValue(scanner, depth + 1));
  while (scanner.accept(','));
  scanner.expect(']');
  return array;
}

/** The offset of the value at `path` in a text that has been parsed before. */
function findOffset(text: string, path: JsonPath): number {
  const scanner = new JsonScanner(text, () => ({}));
  scanner.peek();
  let found = scanner.offset;
  for (const step of path) {
    const inside = scanner.accept('{') ? enterObject(scanner, String(step)) : enterArray(scanner, Number(step));
    if (!inside) break;
    scanner.peek();
    found = scanner.offset;
  }
  return found;
}

function enterObject(scanner: JsonScanner, key: string): boolean {
  while (scanner.peek() === '"') {
    const found = scanner.string();
    scanner.expect(':');
    if (found === key) return true;
    readValue(scanner, 0);
    scanner.accept(',');
  }
  return false;
}

function enterArray(scanner: JsonScanner, index: number): boolean {
  if (!scanner.accept('[')) return false;
  for (let i = 0; scanner.peek() !== ']'; i++) {
    if (i === index) return true;
    readValue(scanner, 0);
    scanner.accept(',');
  }
  return false;
}
