/**
 * @file What the model is run on, one after the other: windows of texts, or images.
 *
 * Each text is cut into windows by itself; its last one may be shorter. A window begins with the start token where the model
 * starts texts with one, as generation does.
 */
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import { RadialRuntimeError, checkPixels } from '../../../runtime/index.ts';
import type { Pixels, RadialModel } from '../../../runtime/index.ts';
import type { InputFile, Subject } from './profile.ts';
import { emptyText, readText } from './text.ts';
import { encodeParts } from './tokens.ts';
import type { Encode } from './tokens.ts';

export interface Item {
  readonly input: readonly number[] | { readonly pixelValues: Pixels };
  /** How much of all input is read when this item is, from 0 to 1. */
  readonly progress: number;
}

/** Where the files of a subject are, in its order; and how images are read. */
export interface Sources {
  readonly paths: readonly string[];
  readonly readImages: (path: string) => readonly Pixels[];
}

/** All items of the subject, whatever the shard. @throws RadialError RC1204, RC1205, RC1207, RC1217, RC0139, RC0815 */
export function itemsOf(model: RadialModel, subject: Subject, sources: Sources): AsyncGenerator<Item, void> {
  return subject.input === 'text' ? windows(model, subject, sources) : images(model, subject, sources);
}

/** What a window begins with. */
function startOf({ info: { tokens } }: RadialModel): readonly number[] {
  return tokens.addBos && tokens.bos !== null ? [tokens.bos] : [];
}

async function* windows(
  model: RadialModel,
  { window, maxTokens, files }: Subject,
  { paths }: Sources,
): AsyncGenerator<Item, void> {
  const start = startOf(model);
  const room = window - start.length;
  if (room < 1) {
    fail('RC1207', `a window of ${window} has no room beside the start token`, { help: 'give a larger --window' });
  }
  const encode: Encode = async (text) => (await model.encode(text)).slice(start.length);
  const limit = maxTokens ?? Infinity;
  const total = sizeOf(files);
  let [tokens, bytes] = [0, 0];
  for (const [i, file] of files.entries()) {
    const path = paths[i] ?? file.name;
    let held: number[] = [];
    let found = false;
    for await (const { ids, part } of encodeParts(readText(path, file), encode)) {
      const taken = ids.slice(0, limit - tokens);
      found ||= taken.length > 0;
      tokens += taken.length;
      held = held.concat(taken);
      const progress = Math.max((bytes + part.end) / total, tokens / limit);
      for (; held.length >= room; held = held.slice(room)) {
        yield { input: [...start, ...held.slice(0, room)], progress };
      }
      if (tokens >= limit) break;
    }
    if (!found) emptyText(path);
    bytes += file.bytes;
    if (held.length > 0) yield { input: [...start, ...held], progress: Math.max(bytes / total, tokens / limit) };
    if (tokens >= limit) return;
  }
}

async function* images(
  model: RadialModel,
  { files }: Subject,
  { paths, readImages }: Sources,
): AsyncGenerator<Item, void> {
  const size = model.info.shapes.image ?? { channels: 0, height: 0, width: 0 };
  const total = sizeOf(files);
  let bytes = 0;
  for (const [i, file] of files.entries()) {
    const path = paths[i] ?? file.name;
    bytes += file.bytes;
    for (const [k, pixels] of readImages(path).entries()) {
      yield { input: { pixelValues: checked(pixels, size, path, k) }, progress: bytes / total };
    }
  }
}

/** The image, or RC1217 where the model takes no such one. */
function checked(pixels: Pixels, size: Parameters<typeof checkPixels>[1], file: string, index: number): Pixels {
  try {
    return checkPixels(pixels, size);
  } catch (error) {
    if (!(error instanceof RadialRuntimeError)) throw error;
    const [found] = error.diagnostics;
    return fail('RC1217', found?.message ?? error.message, {
      place: { file, subject: `image ${index}` },
      help: found?.help ?? 'radialc explain RC1217 says more',
    });
  }
}

function sizeOf(files: readonly InputFile[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}
