/** @file Random routers for a checkpoint folder. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeSafetensors } from '../../compiler/frontend/weights/writer.ts';
import { radialConfigText } from '../../compiler/frontend/routers/radial-config.ts';
import type { RadialConfig } from '../../compiler/frontend/routers/radial-config.ts';
import { routerTensors } from '../../compiler/frontend/routers/tensors.ts';
import { normals } from '../../ir/random.ts';

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
