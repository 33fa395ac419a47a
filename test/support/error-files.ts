/**
 * @file Texts whose errors are written beside them: `%4 = relu(%9) // error: RC0505 part of the message`.
 *
 * A line may expect several errors. Every error of the text must be expected, on its line.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { RadialError } from '../../ir/diagnostics/diagnostic.ts';
import type { Diagnostic } from '../../ir/diagnostics/diagnostic.ts';

export interface ErrorFile {
  readonly name: string;
  readonly text: string;
}

interface Expectation {
  readonly line: number;
  readonly code: string;
  readonly part: string;
}

const folder = new URL('../errors/', import.meta.url);

export function errorFiles(): readonly ErrorFile[] {
  const names = readdirSync(fileURLToPath(folder))
    .filter((name) => name.endsWith('.rir'))
    .sort();
  return names.map((name) => ({ name, text: readFileSync(new URL(name, folder), 'utf8') }));
}

export function expectations(text: string): readonly Expectation[] {
  return text.split('\n').flatMap((line, i) =>
    line
      .split('// error: ')
      .slice(1)
      .map((expected) => {
        const [code = '', ...words] = expected.trim().split(' ');
        return { line: i + 1, code, part: words.join(' ') };
      }),
  );
}

/** What `run` reports; empty when it ends well. Other exceptions pass through. */
export function diagnosticsOf(run: () => void): readonly Diagnostic[] {
  try {
    run();
    return [];
  } catch (error) {
    if (error instanceof RadialError) return error.diagnostics;
    throw error;
  }
}

/** What differs between the errors that are expected and those that came, one line each; empty when nothing does. */
export function differences(text: string, found: readonly Diagnostic[]): readonly string[] {
  const left = [...found];
  const missing: string[] = [];
  for (const { line, code, part } of expectations(text)) {
    const index = left.findIndex(
      (diagnostic) => diagnostic.place?.line === line && diagnostic.code === code && diagnostic.message.includes(part),
    );
    if (index === -1) missing.push(`missing: line ${line}: ${code} ${part}`);
    else left.splice(index, 1);
  }
  return [
    ...missing,
    ...left.map(({ code, message, place }) => `not expected: line ${place?.line ?? '?'}: ${code} ${message}`),
  ];
}
