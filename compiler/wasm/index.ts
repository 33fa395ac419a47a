/** @file The target `wasm-simd`: a planned kernel program becomes a WebAssembly module. */
import type { KernelProgram } from '../../ir/index.ts';
import { ModuleBuilder } from './asm/module.ts';
import { defineProgram } from './control/program.ts';
import { layoutOf } from './plan/layout.ts';
import { COUNTERS } from './plan/scratch.ts';

export type { Arithmetic } from './asm/module.ts';
export { emitMatmul, matmulFacts } from './matmul/emit.ts';
export type { MatmulExports, MatmulFacts } from './matmul/emit.ts';
export { targetBuffers } from './plan/scratch.ts';

export interface WasmOptions {
  /** Counts calls and rows of kernels. For measuring: it takes some time. */
  readonly counters?: boolean;
}

/**
 * Emits a fully planned program (every `at` set, those of {@link targetBuffers} among the buffers). The module
 * imports nothing; equal programs give equal bytes. It needs fixed-width SIMD and bulk memory.
 *
 * Exports:
 * - `memory`: of `program.memory.total` bytes.
 * - `reset()`: empties all KV lists.
 * - `prefill(first, count)`: the `count` ids in `$ids`, or the image in `$pixels`, are the tokens at positions first … :
 *   leaves their hidden states in rows 0 … count - 1 of `$x`. In a program that needs a walk, `$walk` says which blocks
 *   each row executes, in ascending order.
 * - `decode(position)`: the same for one token, whose walk may take any order.
 * - `step(count, forward)`, in programs for several sequences: one token each of `count` of them together. Row i has its id,
 *   position and sequence in `$ids`, `$pos` and `$sequence`. `forward` is 1 where all walks lead forward and routers decide
 *   in one sweep, which is then faster; no number of the result depends on it, nor on the other rows.
 * - `forget(sequence)`, there too: empties the KV lists of one sequence. `prefill` and `decode` run tokens of one sequence
 *   there, and `$sequence` says which.
 * - `head(row, count)`: the exit for rows row … row + count - 1 of `$x`: leaves `$logits` in rows 0 ….
 * - `counters()`, on request: the address of two i32 for each kernel kind, in the order of `kernelKinds`: calls and rows.
 *   They start at 0 and wrap around; the caller may clear them.
 */
export async function emitWasm(program: KernelProgram, { counters = false }: WasmOptions = {}): Promise<Uint8Array> {
  const layout = layoutOf(program);
  const { default: binaryen } = await import('binaryen');
  const module = new ModuleBuilder(binaryen);
  module.memory(layout.memoryBytes);
  defineProgram({ module, layout, counters: counters ? layout.buffer(COUNTERS).at : null });
  return module.finish();
}
