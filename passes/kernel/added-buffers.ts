/** @file Buffers that a kernel pass adds under names of its own. */
import { fail } from '../../ir/index.ts';
import type { Buffer, KernelProgram } from '../../ir/index.ts';

/** The program with more buffers. @throws RadialError RC0708 when it has one of these names */
export function withBuffers(program: KernelProgram, more: readonly Buffer[], pass: string): KernelProgram {
  const added = new Set(more.map(({ name }) => name));
  const taken = program.buffers.find(({ name }) => added.has(name));
  if (taken === undefined) return { ...program, buffers: [...program.buffers, ...more] };
  return fail('RC0708', `the program has a buffer ${taken.name}, which ${pass} makes`, {
    place: { ...(taken.span && { line: taken.span.line, column: taken.span.column }), subject: `buffer ${taken.name}` },
    help: 'leave it out, or give a buffer of your own another name',
  });
}
