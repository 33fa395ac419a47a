/**
 * @file Gives every buffer, the KV pool and every weight its place in linear memory.
 *
 *     0        1,024                                             (64 KiB boundary)
 *     | unused | state buffers | scratch area | KV pool |        | weights |
 *
 * Scratch buffers of all bodies share one area: two of them may lie over each other unless some body has both alive at one
 * kernel. The first bytes stay unused, so that an address of 0 is always a bug.
 */
import { ALIGNMENT, bufferBytes, fail, isView, weightBytes } from '../../ir/index.ts';
import type { Buffer, BufferName, Kernel, KernelProgram, KvPlan, MemoryPlan, Weight } from '../../ir/index.ts';
import type { KernelPass } from '../pass.ts';
import { withBuffers } from './added-buffers.ts';
import { packIntervals } from './pack-intervals.ts';
import type { Interval, Item } from './pack-intervals.ts';

/** Nothing lies below this address. */
const NULL_GUARD = 1024;
/** The unit in which memory grows. */
const PAGE_BYTES = 65_536;
/** What 32-bit addresses reach, less one page, so that the end of memory is an address too. */
const LIMIT = 2 ** 32 - PAGE_BYTES;

export const planMemory: KernelPass = {
  name: 'plan-memory',
  summary: 'Place buffers, the KV pool and weights in memory.',
  stage: 'kernel',
  run: (program, { options }) => {
    if (program.memory !== null) return program;
    if (program.kv === null && program.blocks.some(({ list }) => list !== null)) {
      fail('RC0705', 'plan-memory needs the size of the KV cache', { help: 'run plan-kv-cache before it' });
    }
    const extra = options.extraBuffers?.(program) ?? [];
    return place(withBuffers(program, extra, 'plan-memory'));
  },
};

function place(program: KernelProgram): KernelProgram {
  const scratch = scratchOffsets(program);
  const addresses = new Map<BufferName, number>();
  let end = NULL_GUARD;
  for (const buffer of program.buffers) {
    if (scratch.offsets.has(buffer.name)) continue;
    addresses.set(buffer.name, end);
    end = aligned(end + bufferBytes(buffer, program), ALIGNMENT);
  }
  for (const [name, offset] of scratch.offsets) addresses.set(name, end + offset);
  end = aligned(end + scratch.bytes, ALIGNMENT);
  const kv = program.kv === null ? null : { ...program.kv, at: end };
  end += kv === null ? 0 : poolBytes(kv);
  const weightsAt = aligned(end, PAGE_BYTES);
  const { weights, bytes: weightsBytes } = placeWeights(program.weights);
  const memory: MemoryPlan = { weightsAt, weightsBytes, total: aligned(weightsAt + weightsBytes, PAGE_BYTES) };
  checkLimit(program, memory);
  const buffers = program.buffers.map((buffer): Buffer => ({ ...buffer, at: addresses.get(buffer.name) ?? null }));
  return { ...program, buffers, kv, weights, memory };
}

/** Offsets in the scratch area of the buffers that live only while one body runs. */
function scratchOffsets(program: KernelProgram): {
  readonly offsets: ReadonlyMap<BufferName, number>;
  readonly bytes: number;
} {
  const lives = lifetimes(program);
  const items = program.buffers.flatMap((buffer): Item<BufferName>[] => {
    const intervals = buffer.scope === 'scratch' ? lives.get(buffer.name) : undefined;
    return intervals === undefined
      ? []
      : [{ name: buffer.name, size: aligned(bufferBytes(buffer, program), ALIGNMENT), intervals }];
  });
  const { offsets, end } = packIntervals(items);
  return { offsets, bytes: end };
}

/** From the first to the last kernel that touches a buffer, in each piece of code that does. */
function lifetimes({ bodies }: KernelProgram): ReadonlyMap<BufferName, readonly Interval[]> {
  const lives = new Map<BufferName, Interval[]>();
  bodies
    .flatMap(({ kernels, fill }) => [kernels, fill])
    .forEach((kernels, code) => {
      kernels.forEach((kernel, at) => {
        for (const name of touched(kernel)) {
          const intervals = lives.get(name) ?? [];
          const open = intervals.at(-1);
          if (open?.code === code) intervals[intervals.length - 1] = { ...open, last: at };
          else intervals.push({ code, first: at, last: at });
          lives.set(name, intervals);
        }
      });
    });
  return lives;
}

function touched(kernel: Kernel): readonly BufferName[] {
  const views = [kernel.out, ...Object.values(kernel.inputs)].filter((input) => input !== null && isView(input));
  return views.map(({ buffer }) => buffer);
}

function placeWeights(weights: readonly Weight[]): { readonly weights: readonly Weight[]; readonly bytes: number } {
  let bytes = 0;
  const placed = weights.map((weight): Weight => {
    const at = aligned(bytes, ALIGNMENT);
    bytes = at + weightBytes(weight);
    return { ...weight, at };
  });
  return { weights: placed, bytes };
}

function checkLimit(program: KernelProgram, { weightsAt, weightsBytes, total }: MemoryPlan): void {
  if (total <= LIMIT) return;
  const pool = program.kv === null ? 0 : poolBytes(program.kv);
  const parts = `weights ${mebibytes(weightsBytes)}, KV cache ${mebibytes(pool)}, buffers ${mebibytes(weightsAt - pool)}`;
  fail(
    'RC0704',
    `the program needs ${mebibytes(total)} of memory, 32-bit addresses reach ${mebibytes(LIMIT)}: ${parts}`,
    {
      help: 'smaller --context-window-size, --max-hops, --sequences and --prefill-chunk-size shrink cache and buffers; weights shrink with the model',
    },
  );
}

function poolBytes({ pages, slots, width }: KvPlan): number {
  return pages * slots * width * 2 * Float32Array.BYTES_PER_ELEMENT;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function aligned(address: number, alignment: number): number {
  return Math.ceil(address / alignment) * alignment;
}
