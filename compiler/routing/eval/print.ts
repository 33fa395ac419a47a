/** @file An evaluation as JSON. */
import type { Evaluation } from './evaluate.ts';

export const EVALUATION_FORMAT = 'radial-eval';
/** Raised when an older reader could not read a newer evaluation correctly. */
const VERSION = 1;

/**
 * The file. All but `timing` is the same each time. What is not finite is null.
 * @param names - what the models were opened from
 */
export function evaluationText(
  { warnings: _, ...evaluation }: Evaluation,
  names: { readonly model: string; readonly against: string | null },
): string {
  const { timing, ...results } = evaluation;
  return `${JSON.stringify({ format: EVALUATION_FORMAT, version: VERSION, names, ...results, timing }, null, 2)}\n`;
}
