/** @file Finds the reference data that lies beside the project (`../shared/data`), where it is present. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../shared/data/', import.meta.url));

/** The path of a reference file or folder, or undefined where this machine does not have it. */
export function sharedData(path: string): string | undefined {
  const full = `${root}${path}`;
  return existsSync(full) ? full : undefined;
}
