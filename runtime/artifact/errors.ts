/**
 * @file The errors of the runtime: the same shape as the compiler's diagnostics, without the compiler.
 *
 * Both error classes have the name `RadialError`, so that `error.name` and `error.code` tell a caller all they need.
 */
import type { RuntimeCode } from './codes.ts';

/** Where the fault is: a file of the artifact, or a named thing (option, field, block). */
export interface ErrorPlace {
  readonly file?: string;
  readonly subject?: string;
}

/** One thing that is wrong, as data. */
export interface RuntimeDiagnostic {
  /** `RC` and four digits, see `radialc explain`. */
  readonly code: RuntimeCode;
  readonly severity: 'error';
  /** One sentence: what is wrong and what was found. */
  readonly message: string;
  readonly place?: ErrorPlace;
  /** What would fix it. */
  readonly help?: string;
}

/** Input or an artifact that cannot be used. Its `name` is `RadialError`, like that of the compiler's errors. */
export class RadialRuntimeError extends Error {
  /** The code of the first diagnostic. */
  readonly code: RuntimeCode;
  readonly diagnostics: readonly RuntimeDiagnostic[];

  constructor(diagnostic: RuntimeDiagnostic, cause?: unknown) {
    super(format(diagnostic), cause === undefined ? undefined : { cause });
    this.name = 'RadialError';
    this.code = diagnostic.code;
    this.diagnostics = [diagnostic];
  }
}

export interface ErrorDetails {
  readonly place?: ErrorPlace;
  readonly help?: string;
  /** What made it fail; kept as `error.cause`. */
  readonly cause?: unknown;
}

/** Ends the current operation. */
export function fail(code: RuntimeCode, message: string, { cause, ...details }: ErrorDetails = {}): never {
  throw new RadialRuntimeError({ code, severity: 'error', message, ...details }, cause);
}

/** The message, the place where there is one, and always a line that helps; as the compiler's `formatDiagnostic`. */
function format({ code, message, place, help = `radialc explain ${code} says more` }: RuntimeDiagnostic): string {
  const where = [place?.file, place?.subject].filter((part) => part !== undefined).join(', ');
  return `error[${code}]: ${message}${where === '' ? '' : `\n  --> ${where}`}\n  help: ${help}`;
}
