/**
 * @file The op table: every operation of the network IR, written once.
 *
 * Printer, parser, verifier, type inference, cost model, interpreter, lowering and the fuzzer are keyed by it, so a
 * new line here does not compile until each of them has its own.
 */
import { constantOps } from './constants.ts';
import { mathOps } from './math.ts';
import { modelOps } from './model.ts';
import type { OpSpec } from './spec.ts';

const specs = { ...constantOps, ...mathOps, ...modelOps } satisfies Record<string, OpSpec>;

export type OpKind = keyof typeof specs;

export const opSpecs: Readonly<Record<OpKind, OpSpec>> = specs;

export const opKinds = Object.keys(specs) as readonly OpKind[];

export function isOpKind(word: string): word is OpKind {
  return Object.hasOwn(specs, word);
}
