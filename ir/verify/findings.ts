/** @file Collects what a verifier finds, up to a thousand faults. */
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { SourceSpan } from '../types.ts';
import type { Problem } from './op.ts';

/** The named thing that a finding is about, and where it stood if it was read from text. */
export interface Subject {
  /** For example `block ^3, %4`. */
  readonly name: string;
  readonly span?: SourceSpan | undefined;
}

/** More than anyone reads; hostile modules would have millions. */
const MAX_FINDINGS = 1000;

export class Findings {
  readonly #diagnostics: Diagnostic[] = [];

  add(problem: Problem, subject: Subject): void {
    if (this.#diagnostics.length >= MAX_FINDINGS) return;
    const { name, span } = subject;
    this.#diagnostics.push({ ...problem, severity: 'error', place: { ...span, subject: name } });
  }

  list(): readonly Diagnostic[] {
    return this.#diagnostics;
  }
}
