/** @file Where a report goes: what may be replaced there, and how it is written, whole or not at all. */
import { accessSync, constants, lstatSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fail } from '../../ir/diagnostics/diagnostic.ts';
import { openNamed } from '../frontend/files.ts';
import { writeWhole } from '../frontend/write-whole.ts';

export interface OutputRules {
  /** The `format` that a file which may be replaced begins with. */
  readonly format: string;
  /** Files that must not be replaced. */
  readonly inputs?: readonly string[];
}

/**
 * To be called before any work is done. Ends with RC1208 unless there is nothing, or a report of the same format, and with
 * RC1212 where nothing can be written.
 */
export function checkOutput(out: string, { format, inputs = [] }: OutputRules): void {
  const place = { file: out };
  const input = inputs.find((path) => resolve(path) === resolve(out));
  if (input !== undefined) {
    fail('RC1208', 'the output is one of the inputs', { place, help: 'give another -o; the inputs are kept' });
  }
  const stats = onDisk(out, () => lstatSync(out, { throwIfNoEntry: false }));
  if (stats === undefined || (stats.isFile() && startsWithFormat(out, format))) {
    onDisk(out, () => {
      accessSync(dirname(out), constants.W_OK);
    });
    return;
  }
  const found = stats.isDirectory() ? 'a folder' : stats.isFile() ? 'another file' : 'something that is no file';
  fail('RC1208', `there is ${found} in the place of the output`, {
    place,
    help: 'give another -o, or remove it first',
  });
}

function startsWithFormat(path: string, format: string): boolean {
  const file = openNamed(path);
  try {
    const start = new Uint8Array(Math.min(file.size, 64));
    file.read(0, start);
    const text = new TextDecoder().decode(start);
    return new RegExp(`^\\s*\\{\\s*"format"\\s*:\\s*"${format}"`).test(text);
  } finally {
    file.close();
  }
}

/**
 * Writes the file under a temporary name and renames it: there is the old one or the new one.
 * @param kept - for messages: what is there all the same where this fails; default: nothing
 * @throws RadialError RC1212
 */
export function writeOutput(path: string, text: string, kept?: string): void {
  const write = (): void => {
    writeWhole(path, text);
  };
  onDisk(path, write, kept);
}

/** A JSON object as text: a line for each field, and one for each item of the fields named in `lists`. */
export function jsonLines(
  fields: Readonly<Record<string, unknown>>,
  lists: Readonly<Record<string, readonly unknown[]>>,
): string {
  const lines = Object.entries(fields).map(([key, value]) => ` ${JSON.stringify(key)}: ${JSON.stringify(value)}`);
  for (const [key, items] of Object.entries(lists)) {
    lines.push(` ${JSON.stringify(key)}: [\n${items.map((item) => `  ${JSON.stringify(item)}`).join(',\n')}\n ]`);
  }
  return `{\n${lines.join(',\n')}\n}\n`;
}

/** Runs a file operation; what the system refuses becomes RC1212. @param kept - see {@link writeOutput} */
export function onDisk<T>(path: string, operation: () => T, kept?: string): T {
  try {
    return operation();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    const remedy =
      code === 'ENOSPC' ? 'make room on the disk, then repeat the command' : 'choose a place that you may write to';
    return fail('RC1212', `the system refused to write the file (${code})`, {
      place: { file: path },
      help: kept === undefined ? remedy : `${remedy}; ${kept}`,
    });
  }
}
