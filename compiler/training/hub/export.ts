/** @file The hub of a trained model as `radial-config.json` and `router.safetensors`, and back. */
import { hubLayers } from '../../frontend/index.ts';
import type { RadialConfig } from '../../frontend/index.ts';
import type { TensorToWrite } from '../../frontend/weights/writer.ts';
import { transposed, writeRouters } from '../gates/export.ts';
import type { TrainedGates } from '../gates/export.ts';
import type { ParameterSpec } from '../model.ts';

interface Flat {
  readonly specs: readonly ParameterSpec[];
  readonly flat: Float32Array;
}

/** Writes both files; each appears when it is complete. */
export function writeHub(dir: string, config: RadialConfig, width: number, trained: Flat): void {
  const tensors = parts(config, width).map(({ name, shape, parameter, isLinear }): TensorToWrite => {
    const values = partOf(trained, parameter).slice();
    return { name, shape, dtype: 'F32', data: isLinear ? transposed(values, shape) : values };
  });
  writeRouters(dir, config, tensors);
}

/** Sets the hub of a checkpoint, which must have been written by {@link writeHub} for the same config. */
export function readHub({ config, weights }: TrainedGates, width: number, trained: Flat): void {
  for (const { name, shape, parameter, isLinear } of parts(config, width)) {
    const into = partOf(trained, parameter);
    const values = weights(name, into.length);
    into.set(isLinear ? transposed(values, [...shape].reverse()) : values);
  }
}

interface HubPart {
  readonly name: string;
  readonly shape: readonly number[];
  /** Among what is trained. */
  readonly parameter: string;
  /** Stored as [out, in], trained as (in, out). */
  readonly isLinear: boolean;
}

function parts(config: RadialConfig, width: number): readonly HubPart[] {
  const { up, hops, down } = hubLayers(config, width);
  return [
    ...(up === undefined ? [] : [{ ...up.weight, parameter: 'up', isLinear: true }]),
    ...(up === undefined ? [] : [{ ...up.bias, parameter: 'up_bias', isLinear: false }]),
    ...(hops === undefined ? [] : [{ ...hops, parameter: 'hops', isLinear: false }]),
    { ...down.weight, parameter: 'down', isLinear: true },
    { ...down.bias, parameter: 'down_bias', isLinear: false },
  ];
}

function partOf({ specs, flat }: Flat, parameter: string): Float32Array {
  const spec = specs.find(({ name }) => name === `gate.hub.${parameter}`);
  if (spec === undefined) throw new Error(`internal: no parameter ${parameter} of a hub`);
  return flat.subarray(spec.offset, spec.offset + spec.size);
}
