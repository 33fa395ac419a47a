/** @file What is trained: its parameters, and the loss of a batch. A dense model, or one with gates. */
import * as tf from '@tensorflow/tfjs-core';
import { gateSpecs } from './gates/model.ts';
import { denseLogits, routedLoss } from './gates/loss.ts';
import type { Measured } from './gates/loss.ts';
import type { Leavings } from './hub/entries.ts';
import { hubLoss, prepareHub } from './hub/loss.ts';
import { hubSpecs } from './hub/router.ts';
import { forward, parameterCount, parameterSpecs, parameterTensors } from './model.ts';
import type { Parameters, ParameterSpec } from './model.ts';
import { crossEntropy } from './ops.ts';
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

/** @param frozen - what is not trained: in `distill` the parameters of the model, otherwise nothing */
export function traineeOf(settings: TrainSettings, frozen: Float32Array): Trainee {
  const { shape, routed } = settings;
  const base = parameterSpecs(shape);
  if (routed === undefined) {
    return {
      specs: base,
      loss: (parameters, { share: { data, batch, drops } }) => ({
        loss: crossEntropy(forward(parameters, shape, { ids: data.ids, batch, drops }), data.targets),
      }),
    };
  }
  const { hub } = routed;
  if (hub !== undefined) {
    const withHub = { ...settings, routed: { ...routed, hub } };
    return {
      specs: trainedSpecs(settings),
      prepare: (parameters, work) => prepareHub(parameters, withHub, work),
      loss: (parameters, work, prepared) => hubLoss(parameters, withHub, work, prepared),
    };
  }
  const withGates = { ...settings, routed };
  if (routed.mode === 'joint') {
    return {
      specs: gateSpecs(routed.config, shape.hidden, base),
      loss: (parameters, work) => routedLoss(parameters, withGates, work, undefined),
    };
  }
  const model: Parameters = new Map([...parameterTensors(base, frozen)].map(([name, held]) => [name, tf.keep(held)]));
  return {
    specs: gateSpecs(routed.config, shape.hidden),
    loss: (parameters, work) => {
      const dense = denseLogits(model, settings, work.share);
      return routedLoss(new Map([...model, ...parameters]), withGates, work, dense);
    },
  };
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
