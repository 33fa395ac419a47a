/**
 * @file The rows of a causal attention's scores: row t has columns 0 … t, or 0 … ends[t] where `ends`, an address of i32, is
 * not 0. Strides are in bytes.
 */
import type { FunctionBuilder, Local } from '../asm/function.ts';
import type { ModuleBuilder } from '../asm/module.ts';
import { FLOAT_BYTES, VECTOR_BYTES, f32, f32x4, i32, i32x4, v128 } from '../asm/values.ts';
import type { Expr, F32, I32, V128 } from '../asm/values.ts';
import { exp } from '../kernels/functions.ts';

/** Less than every score. */
const LOWEST = -3e38;

/**
 * Defines `causal_softmax(scores, rowStride, rows, ends, columns)`, in place. Reads and writes whole vectors: a row has room
 * for its columns rounded up to four, and ends in zeros up to there; and up to `columns`, if that is more.
 */
export function defineCausalSoftmax(module: ModuleBuilder): void {
  const params = ['i32', 'i32', 'i32', 'i32', 'i32'] as const;
  module.define('causal_softmax', { params }, (f, [scores, rowStride, count, ends, columns]) => {
    eachRow(f, { rowStride, count, ends }, [scores], ([row], t) => {
      const top = f.let('v128', f32x4.splat(LOWEST));
      eachVector(f, t, (offset, only) => {
        f.set(top, f32x4.atLeast(top, only(f32x4.load(i32.add(row, offset)), f32x4.splat(LOWEST))));
      });
      f.set(top, f32x4.splat(lanes(top, f32.max)));
      const sum = f.let('v128', f.constant(0));
      eachVector(f, t, (offset, only) => {
        const at = i32.add(row, offset);
        const value = f.let('v128', only(exp(f, f32x4.sub(f32x4.load(at), top)), f.constant(0)));
        f.store(at, value);
        f.set(sum, f32x4.add(sum, value));
      });
      f.set(sum, f32x4.splat(f32.div(1, lanes(sum, f32.add))));
      eachVector(f, t, (offset) => {
        const at = i32.add(row, offset);
        f.store(at, f32x4.mul(f32x4.load(at), sum));
      });
      clearBehind(f, row, t, columns);
    });
  });
}

/**
 * Defines `causal_softmax_gradient(chances, gradients, rowStride, rows, ends, columns)`: the gradient of the scores takes
 * the place of that of the chances: dS = P ∘ (dP − rowsum(P ∘ dP)), with zeros behind it as above.
 */
export function defineCausalSoftmaxGradient(module: ModuleBuilder): void {
  const params = ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'] as const;
  module.define('causal_softmax_gradient', { params }, (f, [chances, gradients, rowStride, count, ends, columns]) => {
    eachRow(f, { rowStride, count, ends }, [chances, gradients], ([p, dp], t) => {
      const sum = f.let('v128', f.constant(0));
      eachVector(f, t, (offset, only) => {
        const product = f32x4.mul(f32x4.load(i32.add(p, offset)), f32x4.load(i32.add(dp, offset)));
        f.set(sum, f32x4.add(sum, only(product, f.constant(0))));
      });
      f.set(sum, f32x4.splat(lanes(sum, f32.add)));
      eachVector(f, t, (offset, only) => {
        const at = i32.add(dp, offset);
        const slope = f32x4.mul(f32x4.load(i32.add(p, offset)), f32x4.sub(f32x4.load(at), sum));
        f.store(at, only(slope, f.constant(0)));
      });
      clearBehind(f, dp, t, columns);
    });
  });
}

type Addresses<T> = { readonly [I in keyof T]: Local<'i32'> };

function eachRow<const T extends readonly I32[]>(
  f: FunctionBuilder,
  { rowStride, count, ends }: { readonly rowStride: I32; readonly count: I32; readonly ends: Local<'i32'> },
  matrices: T,
  build: (rows: Addresses<T>, last: Local<'i32'>) => void,
): void {
  const rows = matrices.map((matrix) => f.let('i32', matrix));
  const last = f.local('i32');
  f.for(0, count, (t) => {
    f.set(last, t);
    f.if(ends, () => {
      f.set(last, i32.load(i32.add(ends, i32.mul(t, FLOAT_BYTES))));
    });
    build(rows as unknown as Addresses<T>, last);
    for (const row of rows) f.increase(row, rowStride);
  });
}

/** Sets what is behind the vectors of the columns 0 … t to 0, vector by vector up to `columns`. */
function clearBehind(f: FunctionBuilder, row: I32, t: I32, columns: I32): void {
  const behind = i32.and(i32.add(i32.mul(t, FLOAT_BYTES), FLOAT_BYTES + VECTOR_BYTES - 1), -VECTOR_BYTES);
  f.for(
    behind,
    i32.mul(columns, FLOAT_BYTES),
    (offset) => {
      f.store(i32.add(row, offset), f.constant(0));
    },
    VECTOR_BYTES,
  );
}

/** The value in columns that the row has, and the other elsewhere. */
type Only = (value: V128, other: V128) => V128;

/** Steps over the columns 0 … t by four. */
function eachVector(f: FunctionBuilder, t: I32, build: (offset: Local<'i32'>, only: Only) => void): void {
  const column = f.let('v128', i32x4.constant([0, 1, 2, 3]));
  const end = f.let('v128', i32x4.splat(i32.add(t, 1)));
  const mask = f.local('v128');
  f.for(
    0,
    i32.add(i32.mul(t, FLOAT_BYTES), FLOAT_BYTES),
    (offset) => {
      f.set(mask, i32x4.lt(column, end));
      build(offset, (value, other) => v128.select(value, other, mask));
      f.set(column, i32x4.add(column, i32x4.splat(4)));
    },
    VECTOR_BYTES,
  );
}

function lanes(vector: V128, combine: (a: F32, b: F32) => Expr<'f32'>): Expr<'f32'> {
  const lane = (index: number): Expr<'f32'> => f32.lane(vector, index);
  return combine(combine(lane(0), lane(1)), combine(lane(2), lane(3)));
}
