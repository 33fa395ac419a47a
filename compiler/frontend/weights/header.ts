/**
 * @file The header of a safetensors file: parsed by its own grammar, then checked against the size of the data.
 *
 * The parser accepts only `{ name: { dtype, shape, data_offsets }, … }`, so that a hostile header is refused at its
 * first odd token instead of being built in memory. The invariants of a {@link Header}, as in the format's README:
 *
 *  1. No name and no field occurs twice; `__metadata__` maps strings to strings.
 *  2. A tensor has a known dtype, a shape of non-negative integers (rank 0 and size 0 are allowed), two offsets.
 *  3. The product of shape and dtype is computed without overflow, is whole bytes, and is `end - begin`.
 *  4. In order of their offsets, tensors begin at 0, each where the one before ends, and the last ends with the data:
 *     no holes, no overlaps, nothing behind.
 */
import { fail, nearest } from '../../../ir/diagnostics/diagnostic.ts';
import type { DiagnosticCode } from '../../../ir/diagnostics/diagnostic.ts';
import { JsonScanner } from '../json-scanner.ts';
import { dtypeBits } from './dtypes.ts';
import { quote } from '../quote.ts';

export interface TensorEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Number of elements: the product of the shape, 1 for rank 0. */
  readonly elements: number;
  /** Bytes from the start of the data to the first and behind the last of the tensor. */
  readonly begin: number;
  readonly end: number;
}

export interface Header {
  /** In order of their offsets. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** Far more than any model has; it bounds the memory that a header can take. */
const MAX_TENSORS = 250_000;
const MAX_RANK = 64;
const MAX_DTYPE_CHARS = 32;
const METADATA = '__metadata__';
const DAMAGED = 'the header is damaged or forged; save the file again, or get it from its source';
const FIELDS = ['dtype', 'shape', 'data_offsets'] as const;

interface RawEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly offsets: readonly number[];
}

/**
 * Parses and checks the text of a header.
 * @param dataBytes - bytes of the file behind the header
 * @throws RadialError RC0107 – RC0116, RC0122, RC0150, RC0153
 */
export function parseHeader(text: string, dataBytes: number, file: string): Header {
  const scanner = new JsonScanner(text, (_, offset) => ({ file, subject: `character ${offset} of the header` }));
  const raw = new Map<string, RawEntry>();
  let metadata: ReadonlyMap<string, string> | undefined;
  readMembers(scanner, (key, at) => {
    if (raw.has(key) || (key === METADATA && metadata !== undefined)) duplicate(scanner, key, at);
    if (key === METADATA) metadata = readMetadata(scanner);
    else raw.set(key, readEntry(scanner, key));
    if (raw.size > MAX_TENSORS) {
      scanner.fault('RC0122', `the file has more than ${MAX_TENSORS} tensors`, {
        at,
        help: 'no model has so many; get the file from its source again',
      });
    }
  });
  scanner.end();
  const entries = [...raw].map(([name, entry]): [string, TensorEntry] => [name, checkEntry(name, entry, file)]);
  return { tensors: new Map(checkLayout(entries, dataBytes, file)), metadata: metadata ?? new Map() };
}

/** Reads `{ key: …, … }`; `member` reads the value. */
function readMembers(scanner: JsonScanner, member: (key: string, at: number) => void): void {
  scanner.expect('{');
  if (scanner.accept('}')) return;
  do {
    scanner.peek();
    const at = scanner.offset;
    const key = scanner.string('a name in double quotes');
    scanner.expect(':');
    member(key, at);
  } while (scanner.accept(','));
  scanner.expect('}');
}

function duplicate(scanner: JsonScanner, key: string, at: number): never {
  return scanner.fault('RC0107', `${quote(key)} is given twice`, {
    at,
    help: 'save the file again; each name may be given once',
  });
}

function readMetadata(scanner: JsonScanner): Map<string, string> {
  const help = 'save the file again; __metadata__ is an object of strings, or left out';
  if (scanner.peek() !== '{') scanner.fault('RC0108', '__metadata__ is not an object', { help });
  const metadata = new Map<string, string>();
  readMembers(scanner, (key, at) => {
    if (metadata.has(key)) duplicate(scanner, key, at);
    if (scanner.peek() !== '"') {
      scanner.fault('RC0108', `the value of ${quote(key)} in __metadata__ is not a string`, { help });
    }
    metadata.set(key, scanner.string());
  });
  return metadata;
}

function readEntry(scanner: JsonScanner, name: string): RawEntry {
  const start = scanner.offset;
  if (scanner.peek() !== '{') entryFault(scanner, name, 'is not described by an object');
  let dtype: string | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  const seen = new Set<string>();
  readMembers(scanner, (field, at) => {
    if (seen.has(field)) duplicate(scanner, field, at);
    seen.add(field);
    if (field === 'dtype') dtype = readDtype(scanner, name);
    else if (field === 'shape') shape = readIntegers(scanner, name, field, MAX_RANK);
    else if (field === 'data_offsets') offsets = readIntegers(scanner, name, field, 2);
    else entryFault(scanner, name, `has the unknown field ${quote(field)}`, at);
  });
  if (dtype === undefined || shape === undefined || offsets === undefined) {
    const missing = FIELDS.find((field) => !seen.has(field)) ?? '';
    return entryFault(scanner, name, `has no ${missing}`, start);
  }
  if (offsets.length !== 2) entryFault(scanner, name, `has ${offsets.length} data_offsets instead of 2`, start);
  return { dtype, shape, offsets };
}

function entryFault(scanner: JsonScanner, name: string, what: string, at?: number): never {
  const message = `tensor ${quote(name)} ${what}`;
  return scanner.fault('RC0109', message, {
    ...(at !== undefined && { at }),
    help: 'a tensor has exactly the fields dtype, shape and data_offsets',
  });
}

function readDtype(scanner: JsonScanner, name: string): string {
  if (scanner.peek() !== '"') entryFault(scanner, name, 'has a dtype that is not a string');
  return scanner.string();
}

/** A list of integers that are not negative and that a double holds exactly. */
function readIntegers(scanner: JsonScanner, name: string, field: string, most: number): number[] {
  const list: number[] = [];
  if (!scanner.accept('[')) entryFault(scanner, name, `has a ${field} that is not a list`);
  if (scanner.accept(']')) return list;
  do {
    if (list.length === most) entryFault(scanner, name, `has more than ${most} numbers in ${field}`);
    list.push(readInteger(scanner, name, field));
  } while (scanner.accept(','));
  scanner.expect(']');
  return list;
}

function readInteger(scanner: JsonScanner, name: string, field: string): number {
  const next = scanner.peek();
  const start = scanner.offset;
  if (next === '-' || (next >= '0' && next <= '9')) {
    const value = scanner.number();
    if (!/^\d{1,400}$/.test(scanner.text.slice(start, Math.min(scanner.offset, start + 401)))) {
      entryFault(scanner, name, `has a number in ${field} that is not a non-negative integer`, start);
    }
    if (Number.isSafeInteger(value)) return value;
    return scanner.fault('RC0113', `tensor ${quote(name)} has a number in ${field} that is 2^53 or more`, {
      at: start,
      help: DAMAGED,
    });
  }
  return entryFault(scanner, name, `has something in ${field} that is not a number`);
}

function checkEntry(
  name: string,
  { dtype, shape, offsets: [begin = 0, end = 0] }: RawEntry,
  file: string,
): TensorEntry {
  const refuse = (code: DiagnosticCode, message: string, help: string): never =>
    fail(code, message, { place: { file, subject: `tensor ${quote(name)}` }, help });
  const bits = dtypeBits.get(dtype);
  if (bits === undefined) {
    const near = dtype.length > MAX_DTYPE_CHARS ? undefined : nearest(dtype.toUpperCase(), [...dtypeBits.keys()]);
    return refuse(
      'RC0110',
      `the dtype ${quote(dtype)} is not known`,
      near === undefined ? 'save the tensor again, as F32, F16 or BF16' : `did you mean ${near}?`,
    );
  }
  if (begin > end) refuse('RC0111', `data_offsets [${begin}, ${end}] end before they begin`, DAMAGED);
  let elements = 1;
  for (const size of shape) {
    if (size > 0 && elements > Math.floor(Number.MAX_SAFE_INTEGER / size)) {
      refuse('RC0113', `the product of the shape [${shape.join(', ')}] overflows`, DAMAGED);
    }
    elements *= size;
  }
  if (elements > Math.floor(Number.MAX_SAFE_INTEGER / bits)) {
    refuse('RC0113', `the size of ${elements} elements of ${dtype} overflows`, DAMAGED);
  }
  if ((elements * bits) % 8 !== 0) {
    refuse(
      'RC0114',
      `${elements} elements of ${dtype} do not fill whole bytes`,
      'save the tensor again in a wider dtype, such as F16',
    );
  }
  const size = (elements * bits) / 8;
  if (end - begin !== size) {
    refuse(
      'RC0112',
      `data_offsets [${begin}, ${end}] span ${end - begin} bytes, but ${dtype} [${shape.join(', ')}] needs ${size}`,
      DAMAGED,
    );
  }
  return { dtype, shape, elements, begin, end };
}

function checkLayout(entries: [string, TensorEntry][], dataBytes: number, file: string): [string, TensorEntry][] {
  const sorted = entries.toSorted(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let filled = 0;
  for (const [name, { begin, end }] of sorted) {
    if (begin !== filled) {
      fail(
        'RC0111',
        `data_offsets begin at ${begin}, ${begin < filled ? 'inside the tensor before, which ends' : 'behind a hole that begins'} at ${filled}`,
        {
          place: { file, subject: `tensor ${quote(name)}` },
          help: 'tensors must follow one another without overlap or holes; save the file again',
        },
      );
    }
    filled = end;
  }
  if (filled > dataBytes) {
    fail('RC0115', `the header describes ${filled} bytes of data, but the file has ${dataBytes}`, {
      place: { file },
      help: 'the file is incomplete; download or copy it again',
    });
  }
  if (filled < dataBytes) {
    fail('RC0116', `${dataBytes - filled} bytes follow the last tensor`, {
      place: { file },
      help: 'the file holds something that its header does not name; get it from its source again',
    });
  }
  return sorted;
}
