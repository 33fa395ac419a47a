/** @file Types of values and of attributes: what the op table speaks about. */

export type DType = 'f32' | 'i32';

/** A size: known, or the number of rows in flight. `tokens` may only be the first dimension. */
export type Dim = number | 'tokens';

export interface TensorType {
  readonly dtype: DType;
  readonly shape: readonly Dim[];
}

export type Attr = number | string | boolean | readonly number[];
export type Attrs = Readonly<Record<string, Attr>>;
