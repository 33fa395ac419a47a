/**
 * @file What the compiler tells a person about their input.
 *
 * A diagnostic is plain data made by a factory; it names the place, what was found there and what would fix it.
 * Exceptions that are not {@link RadialError} are bugs of ours; their messages start with `internal:`.
 */

/** `RC` and four digits; the first two digits name the area, see `radialc explain`. */
export type DiagnosticCode = `RC${string}`;

/** Where the fault is: a file, a position in it, or a named thing inside it (tensor, field, block). */
export interface Place {
  readonly file?: string;
  /** 1-based. */
  readonly line?: number;
  /** 1-based, in UTF-16 code units. */
  readonly column?: number;
  /** For example `tensor "lm_head.weight"`, `field "hidden_size"`, `block ^3`. */
  readonly subject?: string;
}

export interface Diagnostic {
  readonly code: DiagnosticCode;
  readonly severity: 'error' | 'warning';
  /** One sentence: what is wrong and what was found. */
  readonly message: string;
  readonly place?: Place;
  /** What would fix it. */
  readonly help?: string;
}

/** What `radialc explain CODE` prints. */
export interface CodeInfo {
  readonly title: string;
  readonly explanation: string;
}

/** One or more diagnostics that ended an operation. */
export class RadialError extends Error {
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[]) {
    super(diagnostics.map(formatDiagnostic).join('\n'));
    this.name = 'RadialError';
    this.diagnostics = diagnostics;
  }
}

/** Ends the current operation with one error. */
export function fail(code: DiagnosticCode, message: string, details: { place?: Place; help?: string } = {}): never {
  throw new RadialError([{ code, severity: 'error', message, ...details }]);
}

/**
 * `error[RC0101]: …`, the place on a second line, the help on the last: always one, if only where more is said. No
 * colours, no trailing line break.
 */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const lines = [`${diagnostic.severity}[${diagnostic.code}]: ${diagnostic.message}`];
  const place = formatPlace(diagnostic.place);
  if (place !== '') lines.push(`  --> ${place}`);
  lines.push(`  help: ${diagnostic.help ?? `radialc explain ${diagnostic.code} says more`}`);
  return lines.join('\n');
}

function formatPlace(place: Place | undefined): string {
  if (place === undefined) return '';
  const position = [place.file, place.line, place.column].filter((part) => part !== undefined).join(':');
  return [position, place.subject].filter((part) => part !== undefined && part !== '').join(', ');
}

/** Longer words are no misspellings, and would take long to compare. */
const LONGEST_WORD = 200;

/** The nearest of `known` to `word`, for "did you mean …?", or undefined when none is close. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  if (word.length > LONGEST_WORD) return undefined;
  const limit = Math.max(1, Math.floor(word.length / 3));
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of known) {
    const distance = editDistance(word, candidate);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
