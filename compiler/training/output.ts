/** @file How the files of a run are written: whole or not at all; what the system refuses is told with the file's own name. */
import { readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { RadialError, fail } from '../../ir/diagnostics/diagnostic.ts';
import { makeFolders } from '../frontend/files.ts';
import { temporaryName, writeWhole } from '../frontend/write-whole.ts';

/** Makes a folder where there is none. @throws RadialError RC1111 */
export function makeFolder(dir: string): void {
  const isFolder = onDisk(dir, () => {
    makeFolders(dir);
    return statSync(dir).isDirectory();
  });
  if (isFolder) return;
  fail('RC1111', 'there is a file in the place of the folder', {
    place: { file: dir },
    help: 'choose another folder with -o, or remove the file',
  });
}

/** Writes the file under a temporary name and renames it: there is the old one or the new one. @throws RadialError RC1111 */
export function writeText(path: string, text: string): void {
  onDisk(path, () => {
    writeWhole(path, text);
  });
}

/**
 * Lets `write` fill another folder, and moves the files to `dir` when all of them are there; others stay.
 * @throws RadialError RC1111, and what `write` ends with, as if it had written to `dir`
 */
export function replaceFiles(dir: string, write: (folder: string) => void): void {
  const temporary = temporaryName(dir);
  try {
    makeFolder(temporary);
    write(temporary);
    makeFolder(dir);
    for (const name of readdirSync(temporary)) {
      onDisk(join(dir, name), () => {
        renameSync(join(temporary, name), join(dir, name));
      });
    }
  } catch (error) {
    throw error instanceof RadialError ? renamed(error, temporary, dir) : error;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** Runs a file operation. @throws RadialError RC1111 where the system refuses */
export function onDisk<T>(path: string, operation: () => T): T {
  try {
    return operation();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return fail('RC1111', `the system refused to write the file (${code})`, {
      place: { file: path },
      help:
        code === 'ENOSPC'
          ? 'make room on the disk; the same command with --resume goes on from the last checkpoint'
          : 'remove what is in its place, or choose a folder that you may write to',
    });
  }
}

function renamed({ diagnostics }: RadialError, from: string, to: string): RadialError {
  return new RadialError(
    diagnostics.map((diagnostic) => {
      const { place } = diagnostic;
      if (place?.file?.startsWith(from) !== true) return diagnostic;
      return { ...diagnostic, place: { ...place, file: to + place.file.slice(from.length) } };
    }),
  );
}
