/** @file Asserts that a command line ends as hostile input must: a diagnostic, and nothing left behind. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { checkpoint, radialc, vitConfig } from '../compiler/cli/support.ts';
import type { Ran } from '../compiler/cli/support.ts';

/**
 * Runs a command line that must end with exit code 1 and a diagnostic that says where the fault is and what would help.
 * @param code - the diagnostic's code, or the start of it
 */
export async function refuses(code: string, args: readonly string[], stdin = ''): Promise<string> {
  const ran = await radialc(args, { stdin });
  assertRefused(ran, code);
  return ran.stderr;
}

export function assertRefused({ code: exit, stderr }: Ran, code: string): void {
  assert.equal(exit, 1, `exit code ${exit}: ${stderr}`);
  assert.match(stderr, /^error\[RC\d{4}\]: ./);
  assert.ok(stderr.startsWith(`error[${code}`), `expected ${code}: ${stderr.slice(0, 500)}`);
  assert.match(stderr, /^ {2}help: ./m, stderr);
  // Passes (RC06xx, RC07xx) see no file, and what a run is given (RC09xx) is in none: their messages name the option, the
  // token or the row.
  if (!/^error\[RC0[679]/.test(stderr)) assert.match(stderr, /^ {2}--> .|^error.*["'`]\w/m, stderr);
  assert.doesNotMatch(stderr, /internal|\bundefined\b|\[object |^ {4}at |node:/m);
  assert.ok(stderr.length < 5000, `${stderr.length} characters of stderr`);
}

/** Runs, and asserts that the folder holds the same names afterwards. */
export async function leavingNothing<T>(folder: string, run: () => Promise<T>): Promise<T> {
  const before = readdirSync(folder).sort();
  const result = await run();
  assert.deepEqual(readdirSync(folder).sort(), before);
  return result;
}

/** A path in the scratch folder of a `describe`. */
export type At = (...parts: readonly string[]) => string;

export type Damage = (dir: string) => void;

/** What a case is refused for, what it is, and how a sound checkpoint becomes one. */
export type DamageCase = readonly [code: string, what: string, damage: Damage];

/** Writes the sound checkpoints `sound` and `vit`, and an empty folder `work`. */
export async function prepare(at: At): Promise<void> {
  await checkpoint(at('sound'));
  await checkpoint(at('vit'), { config: vitConfig });
  mkdirSync(at('work'));
}

/** The folder of a fresh copy of a sound checkpoint. */
export function copyOf(at: At, source = 'sound'): string {
  const dir = at('work', 'model');
  rmSync(dir, { recursive: true, force: true });
  cpSync(at(source), dir, { recursive: true });
  return dir;
}

/** Compiles a copy of a sound checkpoint that `damage` has changed: refused, and no output is left. Gives stderr. */
export function damaging(at: At): (code: string, damage: Damage, source?: string) => Promise<string> {
  return async (code, damage, source) => {
    const dir = copyOf(at, source);
    damage(dir);
    return leavingNothing(at('work'), () => refuses(code, ['compile', dir, '-o', at('work', 'out')]));
  };
}

export interface TensorInfo {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [begin: number, end: number];
}

export type Header = Readonly<Record<string, TensorInfo>>;

/** The parts of a sound safetensors file, without metadata. */
export function parseSafetensors(path: string): { readonly header: Header; readonly data: Buffer } {
  const bytes = readFileSync(path);
  const end = 8 + Number(bytes.readBigUInt64LE());
  const { __metadata__: _, ...header } = JSON.parse(bytes.subarray(8, end).toString()) as Record<string, TensorInfo>;
  return { header, data: bytes.subarray(end) };
}
