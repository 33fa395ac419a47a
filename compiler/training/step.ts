/** @file Loss and gradient of one training step, by tfjs' automatic differentiation. */
import * as tf from '@tensorflow/tfjs-core';
import type { Batch } from './batches.ts';
import { forward, parameterTensors } from './model.ts';
import type { DropsBlock, ModelShape, ParameterSpec } from './model.ts';
import { crossEntropy } from './ops.ts';

export interface LossAndGradient {
  /** Nats per token. */
  readonly loss: number;
  /** Like the parameters: flat, in their order. Parameters of dropped blocks have 0. */
  readonly gradient: Float32Array;
}

/** The mean loss of a batch and its gradient with respect to all parameters. */
export function lossAndGradient(
  specs: readonly ParameterSpec[],
  shape: ModelShape,
  flat: Float32Array,
  input: { readonly data: Batch; readonly batch: number; readonly drops?: DropsBlock },
): LossAndGradient {
  const { data, batch, drops = () => false } = input;
  const parameters = parameterTensors(specs, flat);
  const { value, grads } = tf.variableGrads(
    () => crossEntropy(forward(parameters, shape, { ids: data.ids, batch, drops }), data.targets),
    [...parameters.values()],
  );
  const loss = value.dataSync<'float32'>()[0] ?? Number.NaN;
  const gradient = new Float32Array(flat.length);
  for (const { name, offset } of specs) {
    const variable = parameters.get(name);
    const grad = variable === undefined ? undefined : grads[variable.name];
    if (grad !== undefined) gradient.set(grad.dataSync<'float32'>(), offset);
  }
  tf.dispose([value, grads, [...parameters.values()]]);
  return { loss, gradient };
}
