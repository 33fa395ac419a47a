/** @file A sweep as a file, and the file of an unfinished one. */
import { existsSync, rmSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import { parseJson, readNamed } from '../../frontend/index.ts';
import { jsonLines, onDisk } from '../output.ts';

export const SWEEP_FORMAT = 'radial-sweep';
/** Raised when an older reader could not read a newer sweep correctly. */
const VERSION = 1;
const MAX_BYTES = 64 * 1024 * 1024;

const natural = z.number().int().min(0);
/** What is not finite was written as null. */
const real = z
  .number()
  .nullable()
  .transform((value) => value ?? Infinity);
const depth = z.strictObject({ mean: real, p50: real, p95: real, p99: real });
const quality = z.strictObject({ nats: real, perplexity: real, bitsPerByte: real, depth });
const speed = z.strictObject({ seconds: real, tokensPerSecond: real });
const policy = z.enum(['absent', 'project', 'latest']);

const run = z.strictObject({
  kv: policy,
  /** Of gates; null: that of the model. */
  threshold: z.number().min(0).max(1).nullable(),
  /** Share of the blocks for which the threshold was found; null where it was given. */
  budget: z.number().min(0).max(1).nullable().default(null),
  windows: natural,
  tokens: natural,
  model: quality,
  against: quality.nullable(),
  agreement: z.strictObject({ kl: real, top1: real }).nullable(),
  timing: z.strictObject({ model: speed, against: speed.nullable() }),
});

const schema = z.strictObject({
  format: z.literal(SWEEP_FORMAT),
  version: z.literal(VERSION),
  model: z.strictObject({ sha256: z.string(), family: z.string() }),
  /** What the dense model was opened from, where it is another one; and its hash. */
  against: z.string().nullable(),
  dense: z.strictObject({ sha256: z.string() }).nullable().default(null),
  files: z.array(z.strictObject({ name: z.string(), bytes: natural, sha256: z.string() })),
  window: natural.nullable(),
  maxTokens: natural.nullable(),
  mode: z.enum(['prefill', 'decode']),
  policies: z.array(policy),
  thresholds: z.array(z.number().nullable()),
  budgets: z.array(z.number()).default([]),
  complete: z.boolean(),
  runs: z.array(run),
});

type Deep<T> = { readonly [K in keyof T]: T[K] extends (infer E)[] ? readonly E[] : T[K] };

/** Runs in the order of the grid: policy by policy, and under each the thresholds, then the budgets. */
export type Sweep = Deep<Omit<z.infer<typeof schema>, 'format' | 'version'>>;
export type SweepRun = z.infer<typeof run>;

/** A place of the grid: its threshold is given, or searched for a budget. */
export interface Cell {
  readonly kv: SweepRun['kv'];
  readonly threshold: number | null;
  readonly budget: number | null;
}

export function gridOf({
  policies,
  thresholds,
  budgets,
}: Pick<Sweep, 'policies' | 'thresholds' | 'budgets'>): readonly Cell[] {
  return policies.flatMap((kv) => [
    ...thresholds.map((threshold) => ({ kv, threshold, budget: null })),
    ...budgets.map((budget) => ({ kv, threshold: null, budget })),
  ]);
}

/** All but the field `timing` of each run is the same each time. */
export function sweepText({ runs, ...fields }: Sweep): string {
  return jsonLines({ format: SWEEP_FORMAT, version: VERSION, ...fields }, { runs });
}

export function partialSweep(out: string): string {
  return `${out}.partial`;
}

/** @throws RadialError RC1264 */
export function requireNoSweep(out: string): void {
  const file = partialSweep(out);
  if (!existsSync(file)) return;
  fail('RC1264', 'there is an unfinished sweep of an earlier run', {
    place: { file },
    help: 'add --resume to go on with it, or remove the file',
  });
}

/** The runs that are done. @throws RadialError RC1265 to RC1267 */
export function readPartialSweep(out: string, settings: Omit<Sweep, 'runs' | 'complete'>): readonly SweepRun[] {
  const file = partialSweep(out);
  if (!existsSync(file)) {
    fail('RC1265', 'there is no unfinished sweep to resume', {
      place: { file },
      help: 'start the sweep without --resume',
    });
  }
  const document = parseJson(readNamed(file, MAX_BYTES), file);
  const parsed = schema.safeParse(document.value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return fail('RC1267', `the file is not a sweep: ${issue?.message ?? 'unexpected content'}`, {
      place: document.place(issue?.path ?? []),
      help: 'remove the file, and start the sweep without --resume',
    });
  }
  const { format: _format, version: _version, complete: _complete, runs, ...found } = parsed.data;
  const fields = Object.keys(settings) as (keyof typeof settings)[];
  // The dense model may have moved: its hash counts.
  const counted = fields.filter((field) => field !== 'against');
  const other = counted.find((field) => !isDeepStrictEqual(found[field], settings[field]));
  const grid = gridOf(settings);
  const inGrid = runs.every(({ kv, threshold, budget }, i) => {
    const cell = grid[i];
    return cell?.kv === kv && cell.budget === budget && (budget !== null || cell.threshold === threshold);
  });
  if (other !== undefined || !inGrid) {
    const what = other === 'dense' ? 'contents of the dense model' : (other ?? 'runs than its grid');
    fail('RC1266', `the unfinished sweep has other ${what}`, {
      place: { file },
      help: 'repeat the first command with --resume added, or choose another -o',
    });
  }
  return runs;
}

/** @throws RadialError RC1212 */
export function removePartialSweep(out: string): void {
  const file = partialSweep(out);
  onDisk(file, () => {
    rmSync(file, { force: true });
  });
}
