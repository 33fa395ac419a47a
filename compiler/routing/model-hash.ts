/**
 * @file What a report knows its model by: the SHA-256 of its graph and of its weights.
 *
 * The graph is the text of the module that the front end makes, without its name, which is that of the folder. The weights
 * are those that the graph names, in its order, as 32-bit floats. So the hash is the same for every copy of a checkpoint,
 * however it is stored and whatever it is compiled to. Give it a checkpoint that was opened with its own context: a
 * shorter one is another graph.
 */
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { printModule } from '../../ir/index.ts';
import type { Input } from '../input.ts';

/** Elements that are read at a time. */
const SLAB = 1 << 20;

/** @throws RadialError RC0117 to RC0119, naming the tensor; the signal's reason */
export async function modelHash(
  { module, source }: Pick<Input, 'module' | 'source'>,
  signal: AbortSignal,
): Promise<string> {
  const hash = createHash('sha256');
  const name = 'model';
  hash.update(printModule(module.stage === 'network' ? { ...module, name } : { ...module, name }));
  for (const { kind, attrs } of module.consts) {
    if (kind !== 'tensor') continue;
    const tensor = String(attrs['name']);
    const elements = (source.shape(tensor) ?? []).reduce((product, size) => product * size, 1);
    for (let from = 0; from < elements; from += SLAB) {
      const values = source.read(tensor, from, Math.min(from + SLAB, elements));
      hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
      await setImmediate();
      signal.throwIfAborted();
    }
  }
  return hash.digest('hex');
}
