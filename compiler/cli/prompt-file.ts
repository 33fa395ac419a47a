/** @file Prompts as a file: UTF-8 text, one on each line. */
import { fail } from '../../ir/diagnostics/diagnostic.ts';
import { readNamed } from '../frontend/index.ts';

const MAX_BYTES = 16 * 1024 * 1024;

/** Without empty lines. @throws RadialError RC1018; RC0132, RC0134, RC0139, RC0155 (the file) */
export function readPrompts(file: string): readonly string[] {
  const prompts = linesOf(file).filter((line) => line !== '');
  if (prompts.length > 0) return prompts;
  return fail('RC1018', 'the file has no prompt', { place: { file }, help: 'write a text on each line' });
}

function linesOf(file: string): readonly string[] {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readNamed(file, MAX_BYTES)).split(/\r?\n/);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return fail('RC1018', 'the file is not UTF-8 text', { place: { file }, help: 'save it as UTF-8' });
  }
}
