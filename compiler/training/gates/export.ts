/** @file The gates of a trained model as `radial-config.json` and `router.safetensors`, and back. */
import { join } from 'node:path';
import { RADIAL_CONFIG, ROUTER_FILE, gateLayers, radialConfigText } from '../../frontend/index.ts';
import type { RadialConfig } from '../../frontend/index.ts';
import { writeSafetensors } from '../../frontend/weights/writer.ts';
import type { TensorToWrite } from '../../frontend/weights/writer.ts';
import type { ParameterSpec } from '../model.ts';
import { makeFolder, writeText } from '../output.ts';

/** Writes both files; each appears when it is complete. @param flat - parameters, of which `specs` names the gates */
export function writeGates(
  dir: string,
  config: RadialConfig,
  width: number,
  { specs, flat }: { readonly specs: readonly ParameterSpec[]; readonly flat: Float32Array },
): void {
  const byName = new Map(specs.map((spec) => [spec.name, spec]));
  const values = (name: string): Float32Array => {
    const spec = byName.get(name);
    if (spec === undefined) throw new Error(`internal: no parameter ${name}`);
    return flat.slice(spec.offset, spec.offset + spec.size);
  };
  const tensors = config.gatedBlocks.flatMap((block): readonly TensorToWrite[] => {
    const { up, down } = gateLayers(config, block, width);
    const layers = [
      ...(up === undefined ? [] : [{ layer: up, parameter: `gate.${block}.up` }]),
      { layer: down, parameter: `gate.${block}.score` },
    ];
    return layers.flatMap(({ layer: { weight, bias }, parameter }) => [
      { ...weight, dtype: 'F32', data: transposed(values(parameter), weight.shape) },
      { ...bias, dtype: 'F32', data: values(`${parameter}_bias`) },
    ]);
  });
  writeRouters(dir, config, tensors);
}

/** Writes the weights of routers and what says how they are run. */
export function writeRouters(dir: string, config: RadialConfig, tensors: readonly TensorToWrite[]): void {
  makeFolder(dir);
  writeSafetensors(join(dir, ROUTER_FILE), tensors, { format: 'pt' });
  writeText(join(dir, RADIAL_CONFIG), radialConfigText(config));
}

/** Sets the gates of a checkpoint, which must have been written by {@link writeGates} for the same config. */
export function readGates(
  { config, weights }: TrainedGates,
  width: number,
  { specs, flat }: { readonly specs: readonly ParameterSpec[]; readonly flat: Float32Array },
): void {
  const offsets = new Map(specs.map(({ name, offset }) => [name, offset]));
  const set = (name: string, values: Float32Array): void => {
    const offset = offsets.get(name);
    if (offset === undefined) throw new Error(`internal: no parameter ${name}`);
    flat.set(values, offset);
  };
  for (const block of config.gatedBlocks) {
    const { up, down } = gateLayers(config, block, width);
    for (const [layer, parameter] of [[up, `gate.${block}.up`] as const, [down, `gate.${block}.score`] as const]) {
      if (layer === undefined) continue;
      const [out = 1, inner = 1] = layer.weight.shape;
      // Transposed back.
      set(parameter, transposed(weights(layer.weight.name, out * inner), [inner, out]));
      set(`${parameter}_bias`, weights(layer.bias.name, out));
    }
  }
}

/** The gates that a checkpoint has. */
export interface TrainedGates {
  readonly config: RadialConfig;
  /** The elements of a tensor of router.safetensors. */
  readonly weights: (name: string, count: number) => Float32Array;
}

/** (in, out) as [out, in]. */
export function transposed(values: Float32Array, [out = 1, inner = 1]: readonly number[]): Float32Array {
  return Float32Array.from(values, (_, i) => values[(i % inner) * out + Math.floor(i / inner)] ?? 0);
}
