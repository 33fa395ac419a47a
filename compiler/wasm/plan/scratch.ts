/** @file Buffers that this target needs besides the program's own. Pure; plan-memory gives them their place. */
import { isView, kernelKinds } from '../../../ir/index.ts';
import type { Buffer, Kernel, KernelProgram } from '../../../ir/index.ts';

/** Rows that a linear kernel has normalised before it multiplies them. */
export const NORMED = '$normed';
/**
 * For each kernel kind, in the table's order: calls and rows. Always there, though only instrumented programs write it,
 * so that these lie in memory as the others do.
 */
export const COUNTERS = '$counters';

/** The buffers to add before memory is planned; they live inside single kernels, beside everything else. */
export function targetBuffers(program: KernelProgram): readonly Buffer[] {
  const normed = program.bodies
    .flatMap(({ kernels, fill }) => [...kernels, ...fill])
    .filter(({ kind, attrs }) => kind === 'linear' && attrs['norm'] !== undefined);
  const counters: Buffer = {
    name: COUNTERS,
    dtype: 'i32',
    rows: kernelKinds.length,
    columns: 2,
    scope: 'state',
    at: null,
  };
  if (normed.length === 0) return [counters];
  const rows = Math.max(program.chunk, program.headRows, ...normed.map((kernel) => fixedRows(program, kernel)));
  const columns = Math.max(...normed.map(({ inputs: { x } }) => (x !== undefined && isView(x) ? x.columns : 0)));
  return [counters, { name: NORMED, dtype: 'f32', rows, columns, scope: 'state', at: null }];
}

/** Rows of the kernel's result where they do not depend on the number of tokens, else 0. */
function fixedRows({ buffers }: KernelProgram, { out }: Kernel): number {
  const rows = buffers.find(({ name }) => name === out?.buffer)?.rows;
  return typeof rows === 'number' ? rows : 0;
}
