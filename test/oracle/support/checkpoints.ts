/** @file Checkpoints of random weights in temporary folders, with their numbers at hand. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { initCheckpoint, openWeights } from '../../../compiler/frontend/index.ts';
import type { JsonObject } from '../../../compiler/frontend/index.ts';
import { writeSafetensors } from '../../../compiler/frontend/weights/writer.ts';
import { normals } from '../../../ir/random.ts';

/** Weights by their names in the checkpoint, as TensorFlow.js tensors that belong to the `tf.tidy` under way. */
export interface WeightsByName {
  get(name: string): tf.Tensor;
  find(name: string): tf.Tensor | undefined;
}

export interface TestCheckpoint {
  readonly dir: string;
  readonly weights: WeightsByName;
  remove(): void;
}

/**
 * What `radialc init` writes, stirred: matrices twice as large, vectors with noise, so that no gain is 1 and no shift 0.
 * `weights` holds the numbers that were written; they were not read back.
 */
export async function createCheckpoint(config: JsonObject, seed: number): Promise<TestCheckpoint> {
  const parent = mkdtempSync(join(tmpdir(), 'radialc-oracle-'));
  const dir = join(parent, 'model');
  await initCheckpoint({ config, seed, outDir: dir });
  const stored = openWeights(dir);
  const tensors = stored.names().map((name, i) => {
    const shape = stored.shape(name) ?? [];
    const count = shape.reduce((product, size) => product * size, 1);
    const noise = normals(count, seed + i + 1, 0, 0.25);
    const data = stored
      .read(name, 0, count)
      .map((value, at) => (shape.length > 1 ? 2 * value : value + (noise[at] ?? 0)));
    return { name, dtype: 'F32' as const, shape, data };
  });
  stored.close();
  writeSafetensors(join(dir, 'model.safetensors'), tensors, { format: 'pt' });
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const find = (name: string): tf.Tensor | undefined => {
    const tensor = byName.get(name);
    return tensor === undefined ? undefined : tf.tensor(tensor.data, [...tensor.shape]);
  };
  return {
    dir,
    weights: {
      find,
      get: (name) => {
        const tensor = find(name);
        if (tensor === undefined) throw new Error(`the checkpoint has no ${name}`);
        return tensor;
      },
    },
    remove: () => {
      rmSync(parent, { recursive: true });
    },
  };
}
