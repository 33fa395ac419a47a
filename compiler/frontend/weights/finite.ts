/** @file Refuses weights that are not finite numbers. */
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import { quote } from '../quote.ts';

/**
 * Ends with RC0119 when `values` has a NaN or an infinity.
 * @param offset - index in the tensor of `values[0]`, when it is only a part of it
 */
export function checkFinite(values: Float32Array, tensor: string, offset = 0): void {
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return;
  fail('RC0119', `element ${offset + bad} is ${values[bad] ?? NaN}`, {
    place: { subject: `tensor ${quote(tensor)}` },
    help: 'the checkpoint is damaged or its training diverged; get it from its source again',
  });
}
