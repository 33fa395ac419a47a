/**
 * @file What a pass is.
 *
 * A pass takes a module and returns a module: the same object when it changed nothing. Network passes come first, then
 * one lowering, then kernel passes.
 */
import type { Buffer, KernelProgram, KvPolicy, Network, OracleKind, RevisitRule } from '../ir/index.ts';
import type { Traffic } from './traffic.ts';

export type Module = Network | KernelProgram;

/** What the caller asks of the passes; each reads what concerns it. */
export interface PassOptions {
  /**
   * `external`: every edge asks the caller. `oracle_…`: every edge leads to all later blocks and asks the oracle.
   * `sequential`: every edge leads to the next block. Absent: edges stay.
   */
  readonly route?: 'sequential' | 'external' | OracleKind | undefined;
  readonly kv?: KvPolicy | undefined;
  readonly revisit?: RevisitRule | undefined;
  /** Blocks that a token executes at most. */
  readonly maxHops?: number | undefined;
  /** Tokens that prefill takes at a time; default 128. */
  readonly chunk?: number | undefined;
  /** Sequences that the program holds at once; default 1. */
  readonly sequences?: number | undefined;
  /** Weights that are read as int8: of the head, or of all linears but those of routers; default: none. */
  readonly int8?: 'head' | 'all' | undefined;
  /** Each block reports what it does to the hidden state. */
  readonly probes?: boolean | undefined;
  /** Of routes that were recorded with such a program; form-traces goes by it. */
  readonly traffic?: Traffic | undefined;
  /** Attention blocks report what the KV policies would leave of tokens that skip. */
  readonly kvProbes?: boolean | undefined;
  /** Buffers that the target needs besides those of the program; plan-memory places them. */
  readonly extraBuffers?: ((program: KernelProgram) => readonly Buffer[]) | undefined;
}

export interface PassContext {
  readonly options: PassOptions;
}

interface Named {
  /** Its flag: `fuse-norm`. */
  readonly name: string;
  /** One sentence. */
  readonly summary: string;
}

export interface NetworkPass extends Named {
  readonly stage: 'network';
  readonly run: (network: Network, context: PassContext) => Network;
}

export interface Lowering extends Named {
  readonly stage: 'lowering';
  readonly run: (network: Network, context: PassContext) => KernelProgram;
}

export interface KernelPass extends Named {
  readonly stage: 'kernel';
  readonly run: (program: KernelProgram, context: PassContext) => KernelProgram;
}

export type Pass = NetworkPass | Lowering | KernelPass;
