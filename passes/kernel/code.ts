/** @file What the lowering of one op sees of the code around it. */
import type { Attrs, Input, KernelKind, Op, Ref, TensorType, View, WeightLayout, WeightUse } from '../../ir/index.ts';

export interface Code {
  readonly type: (ref: Ref | undefined) => TensorType;
  /** Where a computed value is. `reader` is named in the diagnostic when it is a constant. */
  readonly view: (ref: Ref | undefined, reader: string) => View;
  /** The formal of a constant. */
  readonly weight: (ref: Ref | undefined, layout: WeightLayout, reader: string) => WeightUse;
  /** A table that ids select rows of: in int8, or in the layout of f32 that it has anyway. */
  readonly table: (ref: Ref | undefined, int8: boolean, reader: string) => WeightUse;
  /** First output column that is computed of a linear's result. */
  readonly firstColumn: (ref: Ref) => number;
  /** What the residual sum scales its branch by; undefined: nothing. */
  readonly probability: View | undefined;
  /** A buffer of its own for a value of this type. */
  readonly scratch: (type: TensorType) => View;
  /** Makes `ref` a name for a view. */
  readonly alias: (ref: Ref, view: View) => void;
  /** Adds a kernel that makes the op's result. `inputs` in the order of the kernel table. */
  readonly emit: (op: Op, kind: KernelKind, inputs: Readonly<Record<string, Input | undefined>>, attrs?: Attrs) => void;
  /** Adds a kernel that writes where it is told, or (null) only to the KV cache. */
  readonly emitInto: (
    out: View | null,
    kind: KernelKind,
    inputs: Readonly<Record<string, Input>>,
    attrs?: Attrs,
  ) => void;
}

export function columnsOf(type: TensorType): number {
  const last = type.shape.at(-1);
  return typeof last === 'number' ? last : 1;
}
