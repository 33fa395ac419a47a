/** @file What the interpreter is given, and what it tells. */
import type { BlockId } from '../types.ts';

export type Walk = readonly BlockId[];

/** One token's execution of one block. `x`: what enters; `f`: the branch, not weighted; `out`: what leaves. */
export interface BlockEvent {
  readonly block: BlockId;
  readonly position: number;
  readonly x: Float32Array;
  readonly f: Float32Array;
  readonly out: Float32Array;
}

/** What a token leaves in the KV list of a block, whether it executes the block or passes it over. */
export interface KvEvent {
  readonly block: BlockId;
  readonly position: number;
  readonly k: Float32Array;
  readonly v: Float32Array;
}

export interface RunOptions {
  /** A walk for each token; for tokens without one the routers decide. */
  readonly walks?: readonly (Walk | undefined)[];
  /** Instead of the network's. */
  readonly threshold?: number | undefined;
  readonly onBlock?: (event: BlockEvent) => void;
  readonly onKv?: (event: KvEvent) => void;
  /** The hidden state that leaves the entry. */
  readonly onEntry?: (position: number, x: Float32Array) => void;
}

export interface RunResult {
  /** Of each position in a language model; one vector for an image. */
  readonly logits: readonly Float32Array[];
  /** The blocks that each token executed, in order; its length is the token's depth. */
  readonly paths: readonly (readonly BlockId[])[];
}

export interface Interpreter {
  /** A sequence of token ids from position 0, with an empty KV cache. */
  runTokens(ids: readonly number[], options?: RunOptions): RunResult;
  /** An image as [channels, height, width]. */
  runImage(pixels: Float32Array, options?: RunOptions): RunResult;
}
