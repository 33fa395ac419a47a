/** @file What the tokens of a batch decide while they walk, and what they are to decide otherwise. */
import type { Matrix } from '../matmul.ts';

/** What was decided at one hop. */
export interface Hop {
  /** The tokens that had not left yet. */
  readonly rows: Int32Array;
  /** (rows, blocks + 1) */
  readonly scores: Matrix;
  /** Where each goes; `blocks` is the exit. */
  readonly choices: Int32Array;
  /** Whether the hub was asked, for each: not of anchors. */
  readonly isFree: Uint8Array;
}

/** For each token one of its decisions, to be made otherwise. */
export interface Turns {
  /** −1 where the hub was not asked. */
  readonly hops: Int16Array;
  /** Where the token goes then. */
  readonly successors: Int16Array;
  /** One over the chance that this was drawn with, times the product of both successors' probabilities. */
  readonly weights: Float64Array;
}
