/** @file Loss and gradient of one training step, by tfjs' automatic differentiation. */
import * as tf from '@tensorflow/tfjs-core';
import type { Measured } from './gates/loss.ts';
import { parameterTensors } from './model.ts';
import type { Trainee, Work } from './trainee.ts';

export interface LossAndGradient {
  /** Nats per token; with gates, the budget's part is in it. */
  readonly loss: number;
  /** Like the parameters: flat, in their order. Parameters of dropped blocks have 0. */
  readonly gradient: Float32Array;
  readonly measured?: Measured;
}

/** The mean loss of a batch and its gradient with respect to all that is trained. */
export function lossAndGradient(
  { specs, prepare, loss: lossOf }: Trainee,
  flat: Float32Array,
  work: Work,
): LossAndGradient {
  const parameters = parameterTensors(specs, flat);
  const prepared = prepare?.(parameters, work);
  let measured: Measured | undefined;
  const { value, grads } = tf.variableGrads(() => {
    const found = lossOf(parameters, work, prepared);
    measured = found.measured;
    return found.loss;
  }, [...parameters.values()]);
  const loss = value.dataSync<'float32'>()[0] ?? Number.NaN;
  const gradient = new Float32Array(flat.length);
  for (const { name, offset } of specs) {
    const variable = parameters.get(name);
    const grad = variable === undefined ? undefined : grads[variable.name];
    if (grad !== undefined) gradient.set(grad.dataSync<'float32'>(), offset);
  }
  tf.dispose([value, grads, [...parameters.values()]]);
  return { loss, gradient, ...(measured && { measured }) };
}
