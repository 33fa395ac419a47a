/** @file The form of one line of the table of oracles: random cases of an op, and the op in TensorFlow.js. */
import type * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '../../../ir/interpreter/index.ts';
import type { Attrs, TensorType } from '../../../ir/types.ts';
import type { Draw } from '../../support/draw.ts';

export interface OpCase {
  readonly operands: readonly Tensor[];
  readonly extras?: Readonly<Record<string, Tensor>>;
  readonly attrs?: Attrs;
  /** Of ops whose type is written down. */
  readonly declared?: TensorType;
}

export interface OracleCall {
  readonly operands: readonly tf.Tensor[];
  readonly extras: Readonly<Record<string, tf.Tensor>>;
  readonly attrs: Attrs;
  /** Of the result. */
  readonly shape: readonly number[];
}

export interface OpOracle {
  /** Error allowed, in f32 epsilons of the largest number in the result (or of 1). 0: the same to the bit. */
  readonly ulps: number;
  readonly cases: (draw: Draw) => readonly OpCase[];
  readonly reference: (call: OracleCall) => tf.Tensor;
}

/** A reference of operands alone. */
export function on1(f: (x: tf.Tensor, call: OracleCall) => tf.Tensor): OpOracle['reference'] {
  return (call) => f(operand(call, 0), call);
}

export function on2(f: (a: tf.Tensor, b: tf.Tensor, call: OracleCall) => tf.Tensor): OpOracle['reference'] {
  return (call) => f(operand(call, 0), operand(call, 1), call);
}

export function operand(call: OracleCall, index: number): tf.Tensor {
  const value = call.operands[index];
  if (value === undefined) throw new Error(`the case has no operand ${index}`);
  return value;
}
