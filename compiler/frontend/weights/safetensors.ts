/**
 * @file Opens a safetensors file: 8 bytes of header length (little-endian u64), the header, the data.
 *
 * Everything about the file is checked before the first weight is read; afterwards a tensor's place is known to lie
 * inside the file. Only the header is held in memory.
 */
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import { openInFolder, openNamed } from '../files.ts';
import type { OpenFile } from '../files.ts';
import { hasPickleName, refuseOtherFormat, refusePickle } from './formats.ts';
import { parseHeader } from './header.ts';
import type { Header, TensorEntry } from './header.ts';

export interface SafetensorsFile {
  readonly path: string;
  /** In order of their place in the file. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: ReadonlyMap<string, string>;
  /** Fills `into` with bytes of the data, `offset` counted as in {@link TensorEntry}. */
  readData(offset: number, into: Uint8Array): void;
  close(): void;
}

/** The limit of the format's reference implementation. */
const MAX_HEADER_BYTES = 100_000_000;
const PREFIX_BYTES = 8;
const SNIFFED_BYTES = 32;

/**
 * Opens the safetensors file at a path that the user named.
 * @throws RadialError RC0101 – RC0116, RC0120 – RC0122, RC0132, RC0134, RC0139, RC0150, RC0153
 */
export function openSafetensors(path: string): SafetensorsFile {
  if (hasPickleName(path)) refusePickle(path, 'the name is that of pickled weights');
  return checkSafetensors(openNamed(path));
}

/** The same for a file of a checkpoint folder, whose name may come from its index. */
export function openSafetensorsInFolder(folder: string, name: string): SafetensorsFile {
  if (hasPickleName(name)) refusePickle(name, 'the name is that of pickled weights');
  return checkSafetensors(openInFolder(folder, name));
}

/** Checks a file that has been opened, and closes it when it is not sound. */
export function checkSafetensors(file: OpenFile): SafetensorsFile {
  try {
    const headerBytes = readHeaderLength(file);
    const dataStart = PREFIX_BYTES + headerBytes;
    const header = readHeader(file, headerBytes);
    return {
      path: file.path,
      ...header,
      readData: (offset, into) => {
        file.read(dataStart + offset, into);
      },
      close: () => {
        file.close();
      },
    };
  } catch (error) {
    file.close();
    throw error;
  }
}

/** The length in the first 8 bytes, compared with the file before anything of that size is allocated. */
function readHeaderLength(file: OpenFile): number {
  const start = new Uint8Array(Math.min(file.size, SNIFFED_BYTES));
  file.read(0, start);
  const place = { file: file.path };
  const incomplete = 'the file is incomplete or not a safetensors file; download or copy it again';
  if (start.byteLength < PREFIX_BYTES) {
    refuseOtherFormat(file.path, start);
    fail('RC0101', `the file has ${file.size} bytes, fewer than the 8 that give the header's length`, {
      place,
      help: incomplete,
    });
  }
  const length = new DataView(start.buffer).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    refuseOtherFormat(file.path, start);
    fail('RC0102', `the header claims ${length} bytes, more than the ${MAX_HEADER_BYTES} that the format allows`, {
      place,
      help: incomplete,
    });
  }
  if (Number(length) > file.size - PREFIX_BYTES) {
    refuseOtherFormat(file.path, start);
    fail(
      'RC0103',
      `the header claims ${length} bytes, but the file has ${file.size - PREFIX_BYTES} behind its first 8`,
      { place, help: incomplete },
    );
  }
  if (start[PREFIX_BYTES] !== 0x7b || length === 0n) {
    refuseOtherFormat(file.path, start);
    fail('RC0105', 'the header does not start with "{"', { place, help: incomplete });
  }
  return Number(length);
}

function readHeader(file: OpenFile, length: number): Header {
  const bytes = new Uint8Array(length);
  file.read(PREFIX_BYTES, bytes);
  // Spaces may pad the header so that the data is aligned; no other white space may.
  let end = length;
  while (bytes[end - 1] === 0x20) end--;
  if (bytes[end - 1] !== 0x7d) {
    fail('RC0106', 'the header does not end with "}" and spaces', {
      place: { file: file.path },
      help: 'the file was not written by a safetensors library, or damaged; save or download it again',
    });
  }
  return parseHeader(decode(bytes.subarray(0, end), file.path), file.size - PREFIX_BYTES - length, file.path);
}

function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return fail('RC0104', 'the header is not valid UTF-8', {
      place: { file },
      help: 'the file was not written by a safetensors library, or damaged; save or download it again',
    });
  }
}
