/** @file Collects the errors of one text, and knows where in it they are. */
import { RadialError } from '../diagnostics/diagnostic.ts';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { SourceSpan } from '../types.ts';
import type { Problem } from '../verify/op.ts';

const MAX_ERRORS = 20;

export class Report {
  readonly #file: string;
  readonly #lineStarts: readonly number[];
  readonly #diagnostics: Diagnostic[] = [];

  constructor(text: string, file: string) {
    this.#file = file;
    const starts = [0];
    for (let i = text.indexOf('\n'); i !== -1; i = text.indexOf('\n', i + 1)) starts.push(i + 1);
    this.#lineStarts = starts;
  }

  /** Adds an error at an offset of the text. Throws all as a `RadialError` when there are too many. */
  add(problem: Problem, at: number, subject?: string): void {
    const place = { file: this.#file, ...this.span(at), ...(subject === undefined ? {} : { subject }) };
    this.#diagnostics.push({ ...problem, severity: 'error', place });
    if (this.#diagnostics.length >= MAX_ERRORS) this.finish();
  }

  /** Throws a `RadialError` if there were errors. */
  finish(): void {
    if (this.#diagnostics.length > 0) throw new RadialError(this.#diagnostics);
  }

  /** Throws the errors that there are. */
  end(): never {
    throw new RadialError(this.#diagnostics);
  }

  /** Line and column of an offset. */
  span(at: number): SourceSpan {
    let [low, high] = [0, this.#lineStarts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.#lineStarts[middle] ?? 0) <= at) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: at - (this.#lineStarts[low] ?? 0) + 1 };
  }
}
