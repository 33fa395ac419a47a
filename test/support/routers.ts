/** @file A small random checkpoint, and random routers for its folder. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initCheckpoint } from '../../compiler/frontend/index.ts';
import { writeSafetensors } from '../../compiler/frontend/weights/writer.ts';
import { radialConfigText } from '../../compiler/frontend/routers/radial-config.ts';
import type { RadialConfig } from '../../compiler/frontend/routers/radial-config.ts';
import { routerTensors } from '../../compiler/frontend/routers/tensors.ts';
import { normals } from '../../ir/random.ts';

/** Six blocks. */
export const smallOpt = {
  model_type: 'opt',
  vocab_size: 40,
  hidden_size: 24,
  num_hidden_layers: 3,
  ffn_dim: 48,
  num_attention_heads: 3,
  max_position_embeddings: 48,
};
/** A text of it. */
export const smallText = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4, 6, 2, 6, 4, 3];

/** Makes a checkpoint of this configuration for the tests of a suite. @returns its folder, in a folder that vanishes with it */
export function checkpointFor(config: typeof smallOpt): string {
  const folder = mkdtempSync(join(tmpdir(), 'radialc-suite-'));
  const dir = join(folder, 'model');
  before(async () => {
    await initCheckpoint({ config, seed: 5, outDir: dir });
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return dir;
}

export const gates: RadialConfig = {
  router: 'gate',
  blocks: 6,
  gatedBlocks: [1, 2, 3, 4, 5],
  hidden: 0,
  hopEmbedding: false,
  kv: 'project',
  revisit: 'overwrite',
  maxHops: 6,
  threshold: 0.5,
  anchors: 0,
  weighting: 'none',
};

export const hub: RadialConfig = {
  ...gates,
  router: 'hub',
  gatedBlocks: [],
  hidden: 8,
  hopEmbedding: true,
  kv: 'absent',
  revisit: 'append',
  maxHops: 9,
};

/** Writes radial-config.json and router.safetensors of a model of this width. */
export function writeRouters(dir: string, config: RadialConfig, width: number, seed = 1): void {
  writeFileSync(join(dir, 'radial-config.json'), radialConfigText(config));
  const tensors = routerTensors(config, width).map(({ name, shape }, i) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const std = shape.length === 1 ? 0.2 : 2 / Math.sqrt(shape[1] ?? 1);
    return { name, shape, dtype: 'F32' as const, data: normals(count, 1000 * seed + i, 0, std) };
  });
  writeSafetensors(join(dir, 'router.safetensors'), tensors);
}
