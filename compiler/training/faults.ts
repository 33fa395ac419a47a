/** @file What a state is not saved with: numbers that are not finite, or that the checkpoint cannot hold. */
import { f32ToBf16, f32ToF16 } from '../frontend/weights/dtypes.ts';
import type { TensorToWrite } from '../frontend/weights/writer.ts';
import type { ParameterSpec } from './model.ts';
import type { RunState } from './state.ts';

/** Smaller ones have their place in every dtype. */
const HELD_BY_ALL = 65504;

/** The first number of the state that is not finite, in words. */
export function notFinite(specs: readonly ParameterSpec[], { parameters, moments }: RunState): string | undefined {
  const arrays = [
    ['parameter', parameters],
    ['first moment of', moments.first],
    ['second moment of', moments.second],
  ] as const;
  for (const [what, values] of arrays) {
    const index = values.findIndex((value) => !Number.isFinite(value));
    const spec = specs.find(({ offset, size }) => index >= offset && index < offset + size);
    if (spec !== undefined) return `the ${what} ${spec.name} holds ${values[index]}`;
  }
  return undefined;
}

/** The first number that would be infinite in the dtype of its tensor, in words. */
export function notHeld(tensors: readonly TensorToWrite[]): string | undefined {
  for (const { name, dtype, data } of tensors) {
    if (dtype === 'F32') continue;
    const [narrow, infinity] = dtype === 'F16' ? [f32ToF16, 0x7c00] : [f32ToBf16, 0x7f80];
    for (const part of data instanceof Float32Array ? [data] : data) {
      const value = part.find((x) => Math.abs(x) > HELD_BY_ALL && (narrow(x) & 0x7fff) === infinity);
      if (value !== undefined) return `the tensor ${name} holds ${value}, which ${dtype} cannot`;
    }
  }
  return undefined;
}
