/** @file What is trained: its parameters, and the loss of a batch. A dense model, or one with gates or a hub. */
import * as tf from '@tensorflow/tfjs-core';
import { gateSpecs } from './gates/model.ts';
import { routedLoss } from './gates/loss.ts';
import type { Measured } from './gates/loss.ts';
import { goalLoss } from './goal.ts';
import type { Goal } from './goal.ts';
import type { Leavings } from './hub/entries.ts';
import { hubLoss, prepareHub } from './hub/loss.ts';
import { hubSpecs } from './hub/router.ts';
import type { Matrix } from './matmul.ts';
import { forward, parameterCount, parameterSpecs, parameterTensors } from './model.ts';
import type { ModelShape, Parameters, ParameterSpec } from './model.ts';
import type { Share, TrainSettings } from './settings.ts';

/** A worker's part of a step, counted from 0. */
export interface Work {
  readonly share: Share;
  readonly step: number;
  readonly worker: number;
}

export interface Loss {
  readonly loss: tf.Scalar;
  /** Of models with gates. */
  readonly measured?: Measured;
}

export interface Trainee {
  /** What is trained, in the order of the flat parameters. */
  readonly specs: readonly ParameterSpec[];
  /** What is computed without gradients, for the loss. */
  readonly prepare?: (parameters: Parameters, work: Work) => Leavings | undefined;
  /** Called inside of tfjs' gradients. */
  readonly loss: (parameters: Parameters, work: Work, prepared?: Leavings) => Loss;
}

/** @param frozen - what is not trained: in `distill` the parameters of the model, otherwise those of a teacher, or nothing */
export function traineeOf(settings: TrainSettings, frozen: Float32Array): Trainee {
  const { shape, routed } = settings;
  const specs = trainedSpecs(settings);
  const teacher = routed?.mode === 'distill' ? { shape, weight: 1 } : settings.teacher;
  const held = teacher === undefined ? new Map<string, tf.Tensor>() : keptTensors(teacher.shape, frozen);
  const goalOf = ({ data: { ids, targets }, batch }: Share): Goal => {
    if (teacher === undefined) return { targets };
    const logits = tf.tidy(() => forward(held, teacher.shape, { ids, batch }));
    return { targets, teacher: { logits, weight: teacher.weight } };
  };
  if (routed === undefined) {
    const logitsOf = (parameters: Parameters, { data, batch, drops }: Share): Matrix =>
      forward(parameters, shape, { ids: data.ids, batch, drops });
    return { specs, loss: (parameters, { share }) => ({ loss: goalLoss(logitsOf(parameters, share), goalOf(share)) }) };
  }
  const { hub } = routed;
  /** Of model and routers. */
  const all = (parameters: Parameters): Parameters =>
    routed.mode === 'distill' ? new Map([...held, ...parameters]) : parameters;
  if (hub !== undefined) {
    const withHub = { ...settings, routed: { ...routed, hub } };
    return {
      specs,
      prepare: (parameters, work) => prepareHub(all(parameters), withHub, work),
      loss: (parameters, work, before) => hubLoss(all(parameters), withHub, work, { before, goal: goalOf(work.share) }),
    };
  }
  const withGates = { ...settings, routed };
  return {
    specs,
    loss: (parameters, work) => routedLoss(all(parameters), withGates, work, goalOf(work.share)),
  };
}

/** Parameters that stay as they are. */
function keptTensors(shape: ModelShape, flat: Float32Array): Parameters {
  const tensors = parameterTensors(parameterSpecs(shape), flat);
  return new Map([...tensors].map(([name, tensor]) => [name, tf.keep(tensor)]));
}

/** How many numbers are trained. */
export function trainedCount(settings: TrainSettings): number {
  return parameterCount(trainedSpecs(settings));
}

export function trainedSpecs({ shape, routed }: TrainSettings): readonly ParameterSpec[] {
  const base = parameterSpecs(shape);
  if (routed === undefined) return base;
  const specsOf = routed.hub === undefined ? gateSpecs : hubSpecs;
  return specsOf(routed.config, shape.hidden, routed.mode === 'joint' ? base : []);
}
