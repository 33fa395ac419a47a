/** @file The texts that models are measured on, in windows that fit into the contexts of all of them. */
import { checkFile, describeFile } from '../text/files.ts';
import type { InputFile } from '../text/files.ts';
import { commonCodec } from './codec.ts';
import { requireLike, windowFor } from './subjects.ts';
import type { Subject } from './subjects.ts';
import { windowsOf } from './windows.ts';
import type { Window } from './windows.ts';

export interface TextRequest {
  readonly paths: readonly string[];
  /** Default: the context of the models, the shorter one of two. */
  readonly window?: number | undefined;
  readonly maxTokens?: number | undefined;
  readonly signal: AbortSignal;
}

export interface Texts {
  readonly files: readonly InputFile[];
  /** Positions of a window. */
  readonly window: number;
  /** Reads the texts, each time from their start. */
  readonly windows: () => AsyncGenerator<Window, void>;
}

/** @throws RadialError RC1203 to RC1205, RC1221 to RC1224; later RC0139, RC1222, RC1225; the signal's reason */
export async function openTexts(subjects: readonly Subject[], request: TextRequest): Promise<Texts> {
  const { paths, maxTokens = null, signal } = request;
  for (const path of paths) checkFile(path, 'text');
  requireLike(subjects);
  const window = windowFor(subjects, request.window);
  const codec = await commonCodec(subjects);
  const files: InputFile[] = [];
  for (const path of paths) files.push(await describeFile(path, 'text', signal));
  return { files, window, windows: () => windowsOf(codec, { paths, files, maxTokens }, window) };
}
