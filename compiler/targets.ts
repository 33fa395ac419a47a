/** @file The targets that `compile` can build for. */

export interface Target {
  readonly name: string;
  readonly summary: string;
  readonly dtypes: readonly string[];
}

export const targets = [
  {
    name: 'wasm-simd',
    summary: 'WebAssembly with 128-bit SIMD, one thread: browsers, Node, edge runtimes',
    dtypes: ['fp32'],
  },
] as const satisfies readonly Target[];
