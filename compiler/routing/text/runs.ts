/**
 * @file Cuts the tokens of texts into runs, side by side or overlapping, without holding more than a piece of them.
 *
 * Each text is cut by itself; its last run may be shorter.
 */
import type { Codec } from './codec.ts';
import { emptyText, readText } from './files.ts';
import type { InputFile } from './files.ts';
import { encodeParts } from './tokens.ts';

export interface TextSource {
  readonly paths: readonly string[];
  /** What the paths are known to hold, in their order. */
  readonly files: readonly InputFile[];
  /** Tokens that are read at most, over all texts; null: all. */
  readonly maxTokens: number | null;
}

export interface Cut {
  /** Tokens of a run. */
  readonly length: number;
  /** Tokens that a run has in common with the one before it, fewer than its length. */
  readonly shared: number;
}

export interface TextRun {
  /** Without a start token. */
  readonly ids: readonly number[];
  /** Bytes of text that were read since the run before; added up, those of all text. */
  readonly bytes: number;
  /** How much of all that is to be read is read, from 0 to 1. */
  readonly progress: number;
}

/** @throws RadialError RC1204, RC1205, RC0139, and what the tokenizer can end with */
export async function* textRuns(codec: Codec, source: TextSource, cut: Cut): AsyncGenerator<TextRun, void> {
  const { paths, files, maxTokens } = source;
  const limit = maxTokens ?? Infinity;
  const total = sizeOf(files);
  let [tokens, done, bytes] = [0, 0, 0];
  for (const [i, file] of files.entries()) {
    const path = paths[i] ?? file.name;
    let held: readonly number[] = [];
    let found = false;
    for await (const { ids, text, part } of encodeParts(readText(path, file), codec.encode)) {
      const taken = ids.slice(0, limit - tokens);
      found ||= taken.length > 0;
      tokens += taken.length;
      bytes += Buffer.byteLength(taken.length === ids.length ? text : await codec.decode(taken));
      held = held.concat(taken);
      const progress = Math.max((done + part.end) / total, tokens / limit);
      for (; held.length >= cut.length; held = held.slice(cut.length - cut.shared)) {
        yield { ids: held.slice(0, cut.length), bytes, progress };
        bytes = 0;
      }
      if (tokens >= limit) break;
    }
    if (!found) emptyText(path);
    done += file.bytes;
    if (held.length > cut.shared) {
      yield { ids: held, bytes, progress: Math.max(done / total, tokens / limit) };
      bytes = 0;
    }
    if (tokens >= limit) return;
  }
}

export function sizeOf(files: readonly InputFile[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}
