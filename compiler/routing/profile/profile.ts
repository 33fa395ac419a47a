/**
 * @file A profile: how much each residual block adds to the hidden state, over many tokens.
 *
 * The residual ratio of a token at a block is ‖f‖ / ‖x‖ (`input`) or ‖f‖ / ‖x + f‖ (`output`), with x what enters the block
 * and f what its branch adds (Dotzel et al. 2024, arXiv 2404.04900). Every position of every window counts, the start
 * token's too. A token counts at the blocks that it executed.
 */
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
export function createProfile(
  subject: Subject,
  shard: Shard,
  blocks: readonly { readonly id: number; readonly role: Role }[],
): Profile {
  const empty = blocks.map(({ id, role }) => ({ id, role, input: createTally(), output: createTally() }));
  return { subject, shard, next: 0, windows: 0, tokens: 0, blocks: empty };
}

/** Counts a token at the blocks of its path. `norms`: ‖x‖, ‖f‖ and ‖x + f‖ of block b from 3 · b on. */
export function countToken(profile: Profile, norms: Float32Array, path: readonly number[]): void {
  profile.tokens++;
  for (const { id, input, output } of profile.blocks) {
    const [x, f, sum] = [norms[3 * id] ?? NaN, norms[3 * id + 1] ?? NaN, norms[3 * id + 2] ?? NaN];
    // Blocks that were not executed have NaN; others may have it too, where numbers overflow.
    if (Number.isNaN(x) && !path.includes(id)) continue;
    count(input, f / x);
    count(output, f / sum);
  }
}

/** Adds what `other`, a profile of the same blocks, has counted. */
export function addProfile(into: Profile, other: Profile): void {
  into.windows += other.windows;
  into.tokens += other.tokens;
  into.blocks.forEach(({ input, output }, i) => {
    const block = other.blocks[i];
    if (block === undefined) return;
    addTally(input, block.input);
    addTally(output, block.output);
  });
}

/** Both ratios of all blocks, or of those of a role, taken together. */
export function pooled({ blocks }: Profile, role?: Role): { readonly input: Tally; readonly output: Tally } {
  const chosen = blocks.filter((block) => role === undefined || block.role === role);
  return { input: totalOf(chosen.map(({ input }) => input)), output: totalOf(chosen.map(({ output }) => output)) };
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
