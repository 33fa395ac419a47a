/**
 * @file A hash that a checkpoint and every program compiled from it share, whatever the options: of the table that turns token
 * ids into vectors. Passes fold and join the weights of blocks, and leave routers out; nothing touches this one.
 * Models of one origin share it, too, where training has left the table as it was.
 */
import { createHash } from 'node:crypto';
import { stringAttr } from '../../ir/index.ts';
import type { Network, WeightSource } from '../../ir/index.ts';
import { inspect } from '../../runtime/index.ts';
import { readArtifactIr } from '../artifact/index.ts';
import { openInput } from '../input.ts';
import { isArtifact } from './model.ts';

/** Elements of the table that count: the first ones. */
const MOST = 2 ** 20;

/**
 * Undefined where there is no such table: in a model of images, in a text, or in a program that was made of kernels.
 * @throws RadialError what opening a model can end with
 */
export async function tableHash(path: string): Promise<string | undefined> {
  if (path.endsWith('.rir')) return undefined;
  if (isArtifact(path)) {
    const manifest = await inspect(path);
    if (!manifest.ir.some(({ file }) => file === 'network.rir')) return undefined;
    const { network, source, close } = readArtifactIr(path, manifest);
    return hashed(network, source, close);
  }
  const { module, source, close } = openInput(path);
  if (module.stage !== 'network') throw new Error('internal: a checkpoint is no network');
  return hashed(module, source, close);
}

function hashed({ entry, consts }: Network, source: WeightSource, close: () => void): string | undefined {
  try {
    const table = entry.ops.find(({ kind }) => kind === 'embed')?.operands[1];
    const constant = consts.find(({ name }) => name === table);
    if (constant?.kind !== 'tensor') return undefined;
    const tensor = stringAttr(constant.attrs, 'name');
    const shape = source.shape(tensor) ?? [];
    const elements = shape.reduce((product, size) => product * size, 1);
    const values = source.read(tensor, 0, Math.min(elements, MOST));
    return createHash('sha256')
      .update(`${shape.join()}\n`)
      .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
      .digest('hex');
  } finally {
    close();
  }
}
