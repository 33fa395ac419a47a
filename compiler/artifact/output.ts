/** @file What may be at the place of a new artifact: nothing, an empty folder, or an older artifact. */
import { closeSync, lstatSync, openSync, readSync, readdirSync, realpathSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { fail } from '../../ir/index.ts';
import {
  IR_FILES,
  LOADER_FILES,
  MANIFEST_FILE,
  TOKENIZER_FILES,
  WASM_FILE,
  WEIGHTS_FOLDER,
  looksLikeManifest,
} from '../../runtime/artifact/index.ts';

const known: ReadonlySet<string> = new Set([
  MANIFEST_FILE,
  WASM_FILE,
  WEIGHTS_FOLDER,
  ...TOKENIZER_FILES,
  ...LOADER_FILES,
  ...IR_FILES,
]);

const help = 'give another -o, or empty the folder first';

/**
 * Whether there is an empty folder, which is to be filled: it may be one that others stand in, or that something is mounted
 * on. Ends with RC0830 unless what is there can be replaced without losing anything that is not an artifact; with the
 * system's own error where it does not let one look.
 * @param shown - the path as the user wrote it
 * @param own - the name of a folder in it that does not count
 */
export function checkOutput(out: string, shown: string, own?: string): boolean {
  const place = { file: shown };
  if (dirname(out) === out) fail('RC0830', 'the output cannot be the root of the file system', { place, help });
  const stats = statsOf(out);
  // What stands in the way on the path is told when the folder is made.
  if (stats === undefined) return false;
  if (!stats.isDirectory()) fail('RC0830', 'there is something else than a folder', { place, help });
  const names = readdirSync(out).filter((name) => name !== own);
  if (names.length === 0) return true;
  const other = names.find((name) => !known.has(name)) ?? readForeignChunk(out, names);
  if (!names.includes(MANIFEST_FILE) || !isManifest(join(out, MANIFEST_FILE))) {
    fail('RC0830', `the folder is not empty and is no artifact (it has ${JSON.stringify(names[0])})`, { place, help });
  }
  if (other !== undefined) {
    fail('RC0830', `the folder has ${JSON.stringify(other)} in it, which is no part of an artifact`, { place, help });
  }
  if (isAround(realpathSync(out), process.cwd())) {
    fail('RC0830', 'the program to replace is in the current folder', {
      place,
      help: 'change to another folder first, and give -o from there',
    });
  }
  return false;
}

function isAround(folder: string, path: string): boolean {
  return path === folder || path.startsWith(`${folder}${sep}`);
}

function statsOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function readForeignChunk(out: string, names: readonly string[]): string | undefined {
  if (!names.includes(WEIGHTS_FOLDER)) return undefined;
  const weights = join(out, WEIGHTS_FOLDER);
  if (!lstatSync(weights).isDirectory()) return WEIGHTS_FOLDER;
  const other = readdirSync(weights).find((name) => !/^\d{5}-[0-9a-f]{64}\.bin$/.test(name));
  return other === undefined ? undefined : `${WEIGHTS_FOLDER}/${other}`;
}

function isManifest(path: string): boolean {
  if (!lstatSync(path).isFile()) return false;
  const start = new Uint8Array(200);
  const fd = openSync(path, 'r');
  try {
    return looksLikeManifest(start.subarray(0, readSync(fd, start)));
  } finally {
    closeSync(fd);
  }
}
