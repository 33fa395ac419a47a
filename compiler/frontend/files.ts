/**
 * @file Opens the files of a checkpoint folder, whose names and links may come from a stranger; what the front end reads,
 * it reads through here.
 *
 * A name is a plain file name. What it leads to must be a regular file that lies in the folder itself or, in the
 * Hugging Face cache (`snapshots/<revision>/config.json -> ../../blobs/<hash>`), in the `blobs` folder beside `snapshots`;
 * links to anywhere else are refused. The path is made canonical first, checked, opened without following a link and
 * without blocking, and the open file is compared with the one that was checked. Hard links are files like any other:
 * only what parses as a whole checkpoint file is ever used, and caches and `cp -l` make them.
 */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  realpathSync,
  statSync,
} from 'node:fs';
import type { Stats } from 'node:fs';
import { basename, dirname, join, relative, isAbsolute, sep } from 'node:path';
import { fail } from '../../ir/diagnostics/diagnostic.ts';
import { quote } from './quote.ts';

export interface OpenFile {
  /** As the user knows it, for diagnostics. */
  readonly path: string;
  /** Bytes, when it was opened. */
  readonly size: number;
  /** Fills `into` with the bytes from `offset` on; ends with RC0139 where there are fewer. */
  read(offset: number, into: Uint8Array): void;
  /** May be called twice. */
  close(): void;
}

// Absent on Windows, where opening neither follows nor blocks on what the checks before have let through.
const FLAGS: number = constants.O_RDONLY | optionalFlag('O_NOFOLLOW') | optionalFlag('O_NONBLOCK');
const MAX_READ = 1 << 30;
const WAIT = 'something else writes to this file; wait until it is complete';

/**
 * Opens the regular file `name` of `folder`.
 * @throws RadialError RC0131 (bad name), RC0132 (missing or unreadable), RC0133 (link that leaves), RC0134 (not a file).
 */
export function openInFolder(folder: string, name: string): OpenFile {
  const path = join(folder, name);
  if (!isPlainName(name)) {
    fail('RC0131', `${quote(name)} is not a plain file name`, {
      place: { file: folder },
      help: 'files of a checkpoint lie directly in its folder',
    });
  }
  const real = onDisk(path, () => realpathSync(path));
  const home = onDisk(folder, () => realpathSync(folder));
  if (!isInside(home, real) && !isBlobOf(home, real)) {
    fail('RC0133', 'the link leads out of the checkpoint folder', {
      place: { file: path },
      help: 'replace the link by the file itself',
    });
  }
  return openCanonical(path, real);
}

/** Opens a regular file that the user named; its links are the user's own. */
export function openNamed(path: string): OpenFile {
  return openCanonical(
    path,
    onDisk(path, () => realpathSync(path)),
  );
}

/** All bytes of a file of a folder, of at most `most`. @throws RadialError RC0131 – RC0134, RC0139, RC0155 */
export function readInFolder(folder: string, name: string, most: number): Uint8Array {
  return readWhole(openInFolder(folder, name), most);
}

/** All bytes of a file that the user named, of at most `most`. @throws RadialError RC0132, RC0134, RC0139, RC0155 */
export function readNamed(path: string, most: number): Uint8Array {
  return readWhole(openNamed(path), most);
}

/** Whether there is something of this name; a link counts, wherever it leads. @throws RadialError RC0132 (unreadable) */
export function isPresent(path: string): boolean {
  return onDisk(path, () => {
    try {
      return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
    } catch (error) {
      if (isNoName(error)) return false;
      throw error;
    }
  });
}

/** The names in a folder. @throws RadialError RC0132 */
export function listFolder(path: string): readonly string[] {
  return onDisk(path, () => readdirSync(path));
}

/** Ends with RC0132 (unreadable), RC0140 or RC0141 unless there is a folder. */
export function mustBeFolder(dir: string): void {
  const stats = isPresent(dir) ? onDisk(dir, () => statSync(dir)) : undefined;
  if (stats === undefined) {
    fail('RC0140', 'there is no such folder', {
      place: { file: dir },
      help: 'models are not downloaded; name a local folder with config.json and model.safetensors',
    });
  }
  if (!stats.isDirectory()) {
    fail('RC0141', 'expected the folder of a checkpoint, found a file', {
      place: { file: dir },
      help: 'name the folder that holds config.json and model.safetensors',
    });
  }
}

/**
 * Makes a folder and those above it that are not there. Node's own `recursive` never ends where the system says of a
 * folder that exists that it does not, as /proc does.
 */
export function makeFolders(path: string): void {
  if (existsSync(path)) return;
  makeFolders(dirname(path));
  mkdirSync(path);
}

/** Whether the name can only mean an entry of the folder itself, on every system. */
export function isPlainName(name: string): boolean {
  if (name === '' || name === '.' || name === '..' || name.length > 255) return false;
  // Control characters, separators, drives and streams (`C:x`), escapes as in URLs (`%2e`).
  return ![...name].some((char) => char < ' ' || '/\\:%*?"<>|\u007f'.includes(char));
}

function openCanonical(path: string, real: string): OpenFile {
  const before = onDisk(path, () => lstatSync(real));
  mustBeRegular(path, before);
  const fd = onDisk(path, () => openSync(real, FLAGS));
  let open = true;
  const close = (): void => {
    if (open) closeSync(fd);
    open = false;
  };
  try {
    const after = onDisk(path, () => fstatSync(fd));
    mustBeRegular(path, after);
    if (after.ino !== before.ino || after.dev !== before.dev) {
      fail('RC0139', 'the file was replaced while it was opened', { place: { file: path }, help: WAIT });
    }
    const read = (offset: number, into: Uint8Array): void => {
      readExactly({ path, fd }, offset, into);
    };
    return { path, size: after.size, read, close };
  } catch (error) {
    close();
    throw error;
  }
}

function readWhole(file: OpenFile, most: number): Uint8Array {
  try {
    if (file.size > most) {
      fail('RC0155', `the file has ${file.size} bytes, more than the ${most} that are read`, {
        place: { file: file.path },
        help: 'no sound file of its kind is that large; is it the right one?',
      });
    }
    const bytes = new Uint8Array(file.size);
    file.read(0, bytes);
    return bytes;
  } finally {
    file.close();
  }
}

function readExactly(file: { readonly path: string; readonly fd: number }, offset: number, into: Uint8Array): void {
  const { path, fd } = file;
  let done = 0;
  while (done < into.byteLength) {
    const length = Math.min(into.byteLength - done, MAX_READ);
    const count = onDisk(path, () => readSync(fd, into, done, length, offset + done));
    if (count === 0) {
      fail('RC0139', `the file ended at byte ${offset + done}, before what was there when it was opened`, {
        place: { file: path },
        help: WAIT,
      });
    }
    done += count;
  }
}

function mustBeRegular(path: string, stats: Stats): void {
  if (stats.isFile()) return;
  const found = stats.isDirectory()
    ? 'a folder'
    : stats.isFIFO()
      ? 'a pipe'
      : stats.isSocket()
        ? 'a socket'
        : 'a device';
  fail('RC0134', `expected a file, found ${found}`, {
    place: { file: path },
    help: 'put the file itself there, or name the one that is meant',
  });
}

/** Runs a file operation; what the system refuses becomes a diagnostic. */
function onDisk<T>(path: string, operation: () => T): T {
  try {
    return operation();
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT') {
      refuseBrokenLink(path);
      return fail('RC0132', 'there is no such file', {
        place: { file: path },
        help: 'check the name; a download or copy of the checkpoint may be incomplete',
      });
    }
    return fail('RC0132', `it cannot be read (${code})`, {
      place: { file: path },
      help: 'check its permissions, and where its links lead',
    });
  }
}

/** Ends with RC0132 where `path`, which leads to no file, is a link; caches that were pruned have such links. */
function refuseBrokenLink(path: string): void {
  let target: string;
  try {
    target = readlinkSync(path);
  } catch {
    return;
  }
  fail('RC0132', `the link leads to ${quote(target)}, where there is nothing`, {
    place: { file: path },
    help: 'get what it led to from its source again, or remove the link; a cache may have been pruned',
  });
}

/** Whether the system says of a path that nothing can have that name, not even a link. */
function isNoName(error: unknown): boolean {
  return ['ENOTDIR', 'ENAMETOOLONG', 'ERR_INVALID_ARG_VALUE'].includes(codeOf(error));
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

function isBlobOf(snapshot: string, path: string): boolean {
  const snapshots = dirname(snapshot);
  return basename(snapshots) === 'snapshots' && dirname(path) === join(dirname(snapshots), 'blobs');
}

function optionalFlag(name: 'O_NOFOLLOW' | 'O_NONBLOCK'): number {
  const flags: Readonly<Partial<Record<string, number>>> = constants;
  return flags[name] ?? 0;
}
