/** @file Buffers that this target needs besides the program's own. Pure; plan-memory gives them their place. */
import { isView, kernelKinds } from '../../../ir/index.ts';
import type { Buffer, Formal, Kernel, KernelProgram, WeightLayout } from '../../../ir/index.ts';

/** Rows that a linear kernel has normalised before it multiplies them. */
export const NORMED = '$normed';
/** Rows that a linear kernel with int8 weights has rounded: a scale, f32, in the first 16 bytes, then i16. */
export const ROUNDED = '$rounded';
/** Bytes before the whole numbers of a rounded row. */
export const ROUNDED_HEADER = 16;
/** i32 columns of a rounded row with so many whole numbers; the room behind them is less than a vector. */
export function roundedColumns(inner: number): number {
  return (ROUNDED_HEADER + Math.ceil(inner / 8) * 16) / 4;
}
/**
 * For each kernel kind, in the table's order: calls and rows. Always there, though only instrumented programs write it,
 * so that these lie in memory as the others do.
 */
export const COUNTERS = '$counters';

/** The buffers to add before memory is planned; they live inside single kernels, beside everything else. */
export function targetBuffers(program: KernelProgram): readonly Buffer[] {
  const linears = program.bodies.flatMap(({ kernels, fill, formals }) =>
    [...kernels, ...fill]
      .filter(({ kind }) => kind === 'linear')
      .map((kernel) => ({ kernel, layout: layoutOfWeight(kernel, formals) })),
  );
  const normed = linears.flatMap(({ kernel }) => (kernel.attrs['norm'] === undefined ? [] : [kernel]));
  const rounded = linears.flatMap(({ kernel, layout }) => (layout === 'int8' ? [kernel] : []));
  const counters: Buffer = {
    name: COUNTERS,
    dtype: 'i32',
    rows: kernelKinds.length,
    columns: 2,
    scope: 'state',
    at: null,
  };
  return [
    counters,
    ...rowsFor(program, normed, (inner) => ({ name: NORMED, dtype: 'f32', columns: inner })),
    ...rowsFor(program, rounded, (inner) => ({ name: ROUNDED, dtype: 'i32', columns: roundedColumns(inner) })),
  ];
}

/** A buffer for the inputs of any of these kernels, if there are some. */
function rowsFor(
  program: KernelProgram,
  kernels: readonly Kernel[],
  bufferFor: (inner: number) => Pick<Buffer, 'name' | 'dtype' | 'columns'>,
): readonly Buffer[] {
  if (kernels.length === 0) return [];
  const rows = Math.max(program.chunk, program.headRows, ...kernels.map((kernel) => fixedRows(program, kernel)));
  const inner = Math.max(...kernels.map(({ inputs: { x } }) => (x !== undefined && isView(x) ? x.columns : 0)));
  return [{ ...bufferFor(inner), rows, scope: 'state', at: null }];
}

function layoutOfWeight({ inputs: { weight } }: Kernel, formals: readonly Formal[]): WeightLayout | undefined {
  if (weight === undefined || isView(weight)) return undefined;
  return formals.find(({ name }) => name === weight.weight)?.layout;
}

/** Rows of the kernel's result where they do not depend on the number of tokens, else 0. */
function fixedRows({ buffers }: KernelProgram, { out }: Kernel): number {
  const rows = buffers.find(({ name }) => name === out?.buffer)?.rows;
  return typeof rows === 'number' ? rows : 0;
}
