/** @file The targets that `compile` can build for. A new one is a folder with its emitters, and a line here. */
import { fail } from '../ir/index.ts';
import type { Buffer, KernelProgram } from '../ir/index.ts';
import type { PassOptions } from '../passes/index.ts';
import { emitWasm, targetBuffers } from './wasm/index.ts';

export interface Dtype {
  readonly name: string;
  readonly summary: string;
  /** What is read as int8. */
  readonly int8?: PassOptions['int8'];
}

export interface Target {
  readonly name: string;
  readonly summary: string;
  /** Number formats of the weights; the first is the default. */
  readonly dtypes: readonly Dtype[];
  /** Buffers that its kernels need besides the program's own; plan-memory places them. */
  readonly buffers: (program: KernelProgram) => readonly Buffer[];
  /** The module of a program whose memory is planned, those buffers included. */
  readonly emit: (program: KernelProgram, options: { readonly counters: boolean }) => Promise<Uint8Array>;
}

const wasmSimd: Target = {
  name: 'wasm-simd',
  summary: 'WebAssembly with 128-bit SIMD, one thread: browsers, Node, edge runtimes',
  dtypes: [
    { name: 'fp32', summary: 'everything as f32; the default' },
    {
      name: 'q8-head',
      int8: 'head',
      summary:
        'the linear maps of the exit, which make the logits, as int8, and an embedding that shares their weights',
    },
    {
      name: 'q8',
      int8: 'all',
      summary: 'all linear maps as int8 but those of routers, and an embedding that shares weights with one',
    },
  ],
  buffers: targetBuffers,
  emit: emitWasm,
};

export const targets: readonly Target[] = [wasmSimd];

/**
 * The target and the number format of these names.
 * @throws RadialError RC1009 for a target that is not there, or that lacks the format
 */
export function findTarget(name = wasmSimd.name, dtype?: string): { readonly target: Target; readonly dtype: Dtype } {
  const target = targets.find((candidate) => candidate.name === name);
  if (target === undefined) {
    return fail('RC1009', `there is no target ${JSON.stringify(name)}`, { help: 'radialc targets lists them' });
  }
  const found = dtype === undefined ? target.dtypes[0] : target.dtypes.find((known) => known.name === dtype);
  if (found !== undefined) return { target, dtype: found };
  return fail('RC1009', `target ${name} has no dtype ${JSON.stringify(dtype)}`, {
    help: `it has ${target.dtypes.map((known) => known.name).join(', ')}`,
  });
}
