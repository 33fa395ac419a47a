/** @file What tests of loading share. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { RadialModel } from '../../runtime/index.ts';
import { toyGreedy } from './toy.ts';

export async function firstIds(model: RadialModel): Promise<readonly number[]> {
  const ids: number[] = [];
  for await (const { id } of model.generate([3, 2], { maxNewTokens: 5 })) ids.push(id);
  return ids;
}

export const expected = toyGreedy([3, 2], 5);

/** The weight chunk of an artifact. */
export const chunkOf = (folder: string): string =>
  join(folder, 'weights', readdirSync(join(folder, 'weights'))[0] ?? '');
