/** @file What a family of models has to say of itself. */
import type { Network } from '../../../ir/index.ts';
import type { TensorCopy, TensorSpec } from './tensors.ts';

/** One model of a family, with its sizes known. */
export interface Architecture {
  /** Everything that the checkpoint must hold. */
  readonly tensors: readonly TensorSpec[];
  /** What it may hold beside them. */
  readonly copies: readonly TensorCopy[];
  /** The number of positions that the network is asked for has been checked against `FamilyDefinition.positions`. */
  readonly build: (options: { readonly name: string; readonly context: number }) => Network;
}

/**
 * How many positions a model has, and what another number would mean. `table`: fewer are possible · `rotary`: any ·
 * `fixed`: no other.
 */
export interface Positions {
  readonly count: number;
  readonly kind: 'table' | 'rotary' | 'fixed';
}

export interface FamilyDefinition<Config> {
  readonly title: string;
  /** What may stand before the names of the base model's tensors; `radialc init` writes the first. */
  readonly prefixes: readonly string[];
  /** Names that a checkpoint may hold and that no logit depends on. */
  readonly ignored: readonly RegExp[];
  readonly positions: (config: Config) => Positions;
  readonly describe: (config: Config, prefix: string) => Architecture;
}
