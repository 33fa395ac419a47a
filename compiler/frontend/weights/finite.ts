/** @file Refuses weights that are not finite numbers. */
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import { quote } from '../quote.ts';

/** What a range of numbers is a part of. */
interface Origin {
  readonly tensor: string;
  readonly file?: string;
  /** Index in the tensor of the first number. */
  readonly offset: number;
}

/** Ends with RC0119 when `values` has a NaN or an infinity. */
export function checkFinite(values: Float32Array, { tensor, file, offset }: Origin): void {
  // 0 · x is NaN for NaN and infinities, and a sum stays NaN: one pass without a branch.
  let sum = 0;
  for (const value of values) sum += 0 * value;
  if (sum === 0) return;
  const bad = values.findIndex((value) => !Number.isFinite(value));
  fail('RC0119', `element ${offset + bad} is ${values[bad] ?? NaN}`, {
    place: { ...(file !== undefined && { file }), subject: `tensor ${quote(tensor)}` },
    help: 'the checkpoint is damaged or its training diverged; get it from its source again',
  });
}
