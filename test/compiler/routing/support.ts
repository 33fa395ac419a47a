/** @file What tests of refusals have in common. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fails, filesOf } from '../cli/support.ts';

export type Refused = (code: string, args: readonly string[], message: RegExp) => Promise<void>;

/** Runs a command line that must end in this diagnostic, tell what helps, and change no file of the scratch folder. */
export function refusing(at: (...parts: readonly string[]) => string): Refused {
  const contents = (): readonly (readonly string[])[] =>
    filesOf(at()).map((name) => [name, readFileSync(at(name), 'latin1')]);
  return async (code, args, message) => {
    const before = contents();
    const stderr = await fails(code, ...args);
    assert.match(stderr, message);
    assert.match(stderr, /^ {2}help: /m);
    assert.deepEqual(contents(), before);
  };
}
