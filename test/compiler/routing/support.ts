/** @file What tests of profiles and of refusals have in common. */
import assert from 'node:assert/strict';
import fs, { readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import type { Statistics } from '../../../compiler/routing/index.ts';
import { fails, filesOf } from '../cli/support.ts';

export type Refused = (code: string, args: readonly string[], message: RegExp) => Promise<void>;

/** Runs a command line that must end in this diagnostic, tell what helps, and change no file of the scratch folder. */
export function refusing(at: (...parts: readonly string[]) => string): Refused {
  const contents = (): readonly (readonly string[])[] =>
    filesOf(at()).map((name) => [name, readFileSync(at(name), 'latin1')]);
  return async (code, args, message) => {
    const before = contents();
    const stderr = await fails(code, ...args);
    assert.match(stderr, message);
    assert.match(stderr, /^ {2}help: /m);
    assert.deepEqual(contents(), before);
  };
}

/** Runs this on a disk that has room for so many files. */
export async function onFullDisk<T>(room: number, run: () => Promise<T>): Promise<T> {
  const { writeFileSync: real } = fs;
  const patch = (writer: typeof real): void => {
    fs.writeFileSync = writer;
    syncBuiltinESMExports();
  };
  let writes = 0;
  try {
    patch((file, data, options) => {
      if (++writes > room) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
      real(file, data, options);
    });
    return await run();
  } finally {
    patch(real);
  }
}

/** Of these ratios: quantiles as near as the buckets allow, the rest within 1e-4. */
export function assertStatistics(found: Statistics | null, ratios: readonly number[], what: string): void {
  const sorted = [...ratios].sort((a, b) => a - b);
  const near = (value: number | undefined, expected: number | undefined, tolerance: number, name: string): void => {
    const relative = Math.abs((value ?? NaN) / (expected ?? NaN) - 1);
    assert.ok(relative <= tolerance, `${what}, ${name}: ${value}, not ${expected}`);
  };
  assert.ok(found !== null, what);
  assert.equal(found.count, ratios.length, what);
  near(found.mean, ratios.reduce((sum, value) => sum + value, 0) / ratios.length, 1e-4, 'mean');
  near(found.min, sorted[0], 1e-4, 'min');
  near(found.max, sorted.at(-1), 1e-4, 'max');
  for (const [name, share] of [
    ['p1', 0.01],
    ['p5', 0.05],
    ['p25', 0.25],
    ['median', 0.5],
    ['p75', 0.75],
    ['p95', 0.95],
    ['p99', 0.99],
  ] as const) {
    near(found[name], sorted[Math.floor(share * (sorted.length - 1))], 0.0115, name);
  }
}
