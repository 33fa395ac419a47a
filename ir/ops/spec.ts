/** @file The form of one line of the op table, and the helpers with which types are inferred. */
import type { Attrs, DType, Dim, TensorType } from '../tensor-type.ts';

export type AttrSpec =
  | { readonly type: 'number'; readonly integer?: boolean; readonly min?: number; readonly optional?: boolean }
  | { readonly type: 'boolean'; readonly optional?: boolean }
  | { readonly type: 'string'; readonly oneOf?: readonly string[]; readonly optional?: boolean }
  | { readonly type: 'numbers'; readonly optional?: boolean };

/** What type inference sees of an operation. `extras` hold only the optional operands that are there. */
export interface OpShape {
  readonly operands: readonly TensorType[];
  readonly extras: Readonly<Record<string, TensorType>>;
  readonly attrs: Attrs;
  /** The type written in the text; only ops whose spec says `declared` may look at it. */
  readonly declared: TensorType | undefined;
}

/** The amount of work that a cost is asked for. */
export interface Load {
  /** Rows (tokens) in flight. */
  readonly rows: number;
  /** Entries of the KV cache that a row attends to, its own included. */
  readonly cached: number;
}

export interface OpSpec {
  readonly summary: string;
  /** Names of the positional operands; a last name ending in `…` stands for one or more. */
  readonly operands: readonly string[];
  readonly extras?: readonly string[];
  readonly attrs?: Readonly<Record<string, AttrSpec>>;
  /** `const`: only in constants · `region`: only in regions · `any`. */
  readonly place: 'const' | 'region' | 'any';
  /** It does more than make its result: it stays where nothing reads that, and two of them are not one. */
  readonly effect?: boolean;
  /** The result's type cannot be inferred from the operands and is written down. */
  readonly declared?: boolean;
  /** The result's type, or one sentence that says what is wrong. */
  readonly infer: (shape: OpShape) => TensorType | string;
  /** Floating-point operations (a multiply and an add count as two). */
  readonly flops: (shape: OpShape, load: Load) => number;
}

export function f32(...shape: Dim[]): TensorType {
  return { dtype: 'f32', shape };
}

export function i32(...shape: Dim[]): TensorType {
  return { dtype: 'i32', shape };
}

export function sameType(a: TensorType, b: TensorType): boolean {
  return a.dtype === b.dtype && sameShape(a.shape, b.shape);
}

export function sameShape(a: readonly Dim[], b: readonly Dim[]): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

/** `f32[tokens, 64]` */
export function formatType(type: TensorType): string {
  return `${type.dtype}[${type.shape.join(', ')}]`;
}

/** Number of elements when `rows` tokens are in flight. */
export function elements(type: TensorType, rows: number): number {
  return type.shape.reduce<number>((product, dim) => product * (dim === 'tokens' ? rows : dim), 1);
}

/** A sentence when `type` is not of this dtype and rank; undefined when it is. */
export function expectRank(name: string, type: TensorType, dtype: DType, rank: number): string | undefined {
  if (type.dtype === dtype && type.shape.length === rank) return undefined;
  return `${name} is ${formatType(type)}, expected ${dtype} of rank ${rank}`;
}

export function isTensorType(result: TensorType | string): result is TensorType {
  return typeof result !== 'string';
}
