/** @file Shows what was found before it is written: it may have taken hours, and the disk may be full by now. */
import { writeOutput } from '../routing/index.ts';
import type { Format, Io } from './io.ts';

/** The same for machines and for people. */
export interface Shown {
  readonly json: string;
  readonly text: string;
}

export interface OutputFile {
  readonly path: string;
  readonly content: string;
}

/** Shows it in the format that was asked for, then writes the file, if any. @throws RadialError RC1212 */
export function showAndWrite(io: Io, format: Format, { json, text }: Shown, file?: OutputFile): void {
  io.out(format === 'json' ? json.trimEnd() : text);
  if (file !== undefined) writeOrShow(io, file, format === 'json' ? null : json);
}

/** Where the file cannot be written, its numbers go to stdout; null: they are there. @throws RadialError RC1212 */
export function writeOrShow(io: Io, { path, content }: OutputFile, json: string | null): void {
  try {
    writeOutput(path, content, 'what was found is on standard output, as JSON');
  } catch (error) {
    if (json !== null) io.out(json.trimEnd());
    throw error;
  }
}
