/**
 * @file A profile: how much each residual block adds to the hidden state, over many tokens, and what its KV list would lack.
 *
 * The residual ratio of a token at a block is ‖f‖ / ‖x‖ (`input`) or ‖f‖ / ‖x + f‖ (`output`), with x what enters the block
 * and f what its branch adds (Dotzel et al. 2024, arXiv 2404.04900). Every position of every window counts, the start
 * token's too. A token counts at the blocks that it executed.
 *
 * KV errors are relative: ‖right − left‖ / ‖right‖. `latest_k` to `project_v`: k and v of an attention block of a token that
 * skips it and all blocks since the attention block before, as the policy leaves them, to those that it leaves when it skips
 * nothing. `absent`: the hidden state that leaves the block of a token that no other token has left an entry for, to that of
 * one that sees all.
 */
import { KV_PROBE_COLUMNS, PROBE_COLUMNS, kvReports } from '../../../runtime/artifact/index.ts';
import type { KvReport } from '../../../runtime/artifact/index.ts';
import type { InputFile } from '../text/files.ts';
import { addTally, count, createTally, totalOf } from './tally.ts';
import type { Tally } from './tally.ts';

export type Role = 'attention' | 'mlp';

/** What the shards of one profile have in common. */
export interface Subject {
  readonly model: {
    /** See `../model-hash.ts`. */
    readonly sha256: string;
    /** For example `opt`. */
    readonly family: string;
  };
  /** SHA-256 of tokenizer.json and tokenizer_config.json; null for images. */
  readonly tokenizer: string | null;
  readonly input: 'text' | 'images';
  /** Positions of a window, the start token's included; tokens of an image. */
  readonly window: number;
  /** Tokens of text that are read at most, start tokens not counted. */
  readonly maxTokens: number | null;
  readonly files: readonly InputFile[];
}

/** The windows (or images) whose number leaves the remainder `index` when divided by `count`. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

export interface BlockProfile {
  readonly id: number;
  readonly role: Role;
  readonly input: Tally;
  readonly output: Tally;
  /** Relative errors of what KV policies leave: of the reports that the program makes of this block. */
  readonly kv: Of<Tally>;
}

/** Something for each of some reports. */
export type Of<T> = Readonly<Partial<Record<KvReport, T>>>;

/** What a block's profile counts. */
export interface BlockPlan {
  readonly id: number;
  readonly role: Role;
  readonly reports: readonly KvReport[];
}

/** Changed in place by {@link countToken}. */
export interface Profile {
  readonly subject: Subject;
  readonly shard: Shard;
  /** The first window that was not looked at; null when all were. */
  next: number | null;
  /** Windows that were run, and their positions. */
  windows: number;
  tokens: number;
  /** In ascending order of id. */
  readonly blocks: readonly BlockProfile[];
}

export const WHOLE: Shard = { index: 0, count: 1 };

/** A profile in which nothing has been counted. */
export function createProfile(subject: Subject, shard: Shard, blocks: readonly BlockPlan[]): Profile {
  const empty = blocks.map(({ id, role, reports }): BlockProfile => {
    return { id, role, input: createTally(), output: createTally(), kv: ofEach(reports, createTally) };
  });
  return { subject, shard, next: 0, windows: 0, tokens: 0, blocks: empty };
}

export function planOf({ id, role, kv }: BlockProfile): BlockPlan {
  return { id, role, reports: kvReports.filter((report) => kv[report] !== undefined) };
}

/** In the order of all reports. */
function ofEach<T>(reports: readonly KvReport[], make: (report: KvReport) => T): Of<T> {
  return Object.fromEntries(reports.map((report) => [report, make(report)]));
}

export function mapOf<T, U>(values: Of<T>, change: (value: T) => U): Of<U> {
  const there = Object.entries(values) as readonly (readonly [KvReport, T])[];
  return Object.fromEntries(there.map(([report, value]) => [report, change(value)]));
}

/** What probes say of a token: `norms` of block b, ‖x‖, ‖f‖ and ‖x + f‖, from 3 · b on; `kvNorms` of its reports from 15 · b on. */
export interface Norms {
  readonly norms: Float32Array;
  readonly kvNorms?: Float32Array | undefined;
}

/** Counts a token at the blocks of its path. */
export function countToken(profile: Profile, { norms, kvNorms }: Norms, path: readonly number[]): void {
  profile.tokens++;
  for (const { id, input, output, kv } of profile.blocks) {
    const [x, f, sum] = [norms[3 * id] ?? NaN, norms[3 * id + 1] ?? NaN, norms[3 * id + 2] ?? NaN];
    // Blocks that were not executed have NaN; others may have it too, where numbers overflow.
    if (Number.isNaN(x) && !path.includes(id)) continue;
    count(input, f / x);
    count(output, f / sum);
    for (const [i, report] of kvReports.entries()) {
      const tally = kv[report];
      if (tally === undefined) continue;
      const at = KV_PROBE_COLUMNS * id + PROBE_COLUMNS * i;
      count(tally, (kvNorms?.[at + 2] ?? NaN) / (kvNorms?.[at] ?? NaN));
    }
  }
}

/** Adds what `other`, a profile of the same blocks, has counted. */
export function addProfile(into: Profile, other: Profile): void {
  into.windows += other.windows;
  into.tokens += other.tokens;
  into.blocks.forEach(({ input, output, kv }, i) => {
    const block = other.blocks[i];
    if (block === undefined) return;
    addTally(input, block.input);
    addTally(output, block.output);
    for (const report of kvReports) {
      const [tally, more] = [kv[report], block.kv[report]];
      if (tally !== undefined && more !== undefined) addTally(tally, more);
    }
  });
}

/** Both ratios of all blocks, or of those of a role, taken together. */
export function pooled({ blocks }: Profile, role?: Role): { readonly input: Tally; readonly output: Tally } {
  const chosen = blocks.filter((block) => role === undefined || block.role === role);
  return { input: totalOf(chosen.map(({ input }) => input)), output: totalOf(chosen.map(({ output }) => output)) };
}

/** The errors of all blocks that have such a report, taken together. */
export function pooledKv({ blocks }: Profile): Of<Tally> {
  const there = kvReports.filter((report) => blocks.some(({ kv }) => kv[report] !== undefined));
  return ofEach(there, (report) => totalOf(blocks.flatMap(({ kv }) => kv[report] ?? [])));
}

/** Fields in which two subjects differ, with both values as text. */
export function differences(a: Subject, b: Subject): readonly { readonly field: string; readonly values: string }[] {
  const fields = [
    ['model', (s: Subject) => s.model.sha256],
    ['tokenizer', (s: Subject) => s.tokenizer ?? 'none'],
    ['window', (s: Subject) => String(s.window)],
    ['--max-tokens', (s: Subject) => (s.maxTokens === null ? 'none' : String(s.maxTokens))],
    ['input', (s: Subject) => `${s.input} ${s.files.map(({ name, sha256 }) => `${name} (${sha256})`).join(', ')}`],
  ] as const;
  return fields
    .map(([field, of]) => ({ field, values: [of(a), of(b)] as const }))
    .filter(({ values: [first, second] }) => first !== second)
    .map(({ field, values }) => ({ field, values: values.join(' and ') }));
}
