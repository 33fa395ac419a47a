/**
 * @file Cuts texts into windows in which each position predicts the token after it.
 *
 * A window begins with the model's start token where it has one, which predicts the first token of the window. Without one,
 * windows begin with a token of text, and the last position of a window predicts the first token of the next one. So a
 * window of n positions has n predictions, and each token of the text is predicted once, but the first where nothing comes
 * before it.
 */
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import type { Diagnostic } from '../../../ir/diagnostics/diagnostic.ts';
import type { Codec } from '../text/codec.ts';
import { textRuns } from '../text/runs.ts';
import type { TextRun, TextSource } from '../text/runs.ts';

export interface Window extends Omit<TextRun, 'ids'> {
  /** What the model is run on. */
  readonly ids: readonly number[];
  /** What follows each of them. */
  readonly targets: readonly number[];
}

/** @param size - positions of a window @throws RadialError RC1225, and what cutting a text can end with */
export async function* windowsOf(codec: Codec, source: TextSource, size: number): AsyncGenerator<Window, void> {
  const { start } = codec;
  const shared = start.length === 0 ? 1 : 0;
  let some = false;
  for await (const { ids, ...run } of textRuns(codec, source, { length: size + shared, shared })) {
    const all = [...start, ...ids];
    some = true;
    yield { ids: all.slice(0, -1), targets: all.slice(1), ...run };
  }
  if (!some) {
    fail('RC1225', 'the text is a single token, and the model has no start token that could predict it', {
      place: { file: source.paths.join(', ') },
      help: 'give a longer text, or a larger --max-tokens',
    });
  }
}

/** A warning where the longest window has fewer predictions than there is room for. */
export function shortTexts(longest: number, size: number, paths: readonly string[]): readonly Diagnostic[] {
  if (longest >= size) return [];
  return [
    {
      code: 'RC1227',
      severity: 'warning',
      message: `no text fills a window of ${size}: the longest has ${longest} predictions`,
      place: { file: paths.join(', ') },
      help: 'compare only with results on the same text, or give a longer one',
    },
  ];
}
