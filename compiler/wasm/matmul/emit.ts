/** @file The module that computes products of matrices in somebody else's memory. */
import { ModuleBuilder } from '../asm/module.ts';
import type { Arithmetic } from '../asm/module.ts';
import { defineCausalSoftmax, defineCausalSoftmaxGradient } from './causal.ts';
import { defineColumnSums } from './column-sums.ts';
import { SCRATCH_BYTES, causalKinds, defineMatmul } from './matmul.ts';

/** Facts that callers of the module need. */
export const matmulFacts = { scratchBytes: SCRATCH_BYTES, causal: causalKinds } as const;
export type MatmulFacts = typeof matmulFacts;

/**
 * The module's functions. Addresses, also of the scratch area, and all strides are in bytes and multiples of 4.
 */
export interface MatmulExports {
  /**
   * C (m, n) = alpha · A (m, k) · B (k, n) + beta · D (m, n); without the last part where d is 0. D may be C, but C
   * overlaps neither A nor B. C and D have rows in one piece each; a D with row stride 0 is one row for all. k > 0.
   *
   * The arguments are those of `matmulParams`; the scratch area lies below 2 GiB. `causal` is one of
   * `matmulFacts.causal`: with `result`, elements right of the diagonal may be left as they are; with `left`, A's
   * elements right of the diagonal must be 0 up to the next column that is divisible by four, and further ones are not
   * read; `leftTransposed` is the same for the transpose of A.
   */
  readonly matmul: (...args: readonly number[]) => void;
  /** See `defineCausalSoftmax`. */
  readonly causal_softmax: (...args: readonly number[]) => void;
  readonly causal_softmax_gradient: (...args: readonly number[]) => void;
  readonly column_sums: (rows: number, columns: number, x: number, rowStride: number, to: number) => void;
}

/**
 * Emits the module. It imports `memory.memory`, and needs fixed-width SIMD; with `fused` arithmetic relaxed SIMD. Equal
 * arguments give equal bytes.
 */
export async function emitMatmul(arithmetic: Arithmetic): Promise<Uint8Array> {
  const { default: binaryen } = await import('binaryen');
  const module = new ModuleBuilder(binaryen, arithmetic);
  module.importMemory('memory', 'memory');
  defineMatmul(module);
  defineCausalSoftmax(module);
  defineCausalSoftmaxGradient(module);
  defineColumnSums(module);
  for (const name of ['matmul', 'causal_softmax', 'causal_softmax_gradient', 'column_sums']) module.export(name);
  return module.finish();
}
