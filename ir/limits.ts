/**
 * @file How large a module may be: more than any model needs, and small enough that whatever is read, verified or lowered
 * ends soon. Readers, verifiers and passes share these numbers, so that what a pass makes can be read again.
 */

/** Positions that exist at most. */
export const MAX_CONTEXT = 2 ** 24;
/** The largest block number: engines take branch tables of somewhat more places, one for each number. */
export const MAX_BLOCK = 2 ** 15 - 1;
/** The largest hop cap. */
export const MAX_HOPS = 2 ** 16;
/** Successors of all edges together. */
export const MAX_SUCCESSORS = 1_000_000;
/** Buffers of a program. */
export const MAX_BUFFERS = 8192;
/** Kernels of a body, its fill included. */
export const MAX_KERNELS = 10_000;
/** Entries in a page of the KV cache: targets unroll loops over them. */
export const MAX_SLOTS = 256;
