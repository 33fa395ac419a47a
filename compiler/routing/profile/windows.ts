/**
 * @file What the model is run on, one after the other: windows of texts, or images.
 *
 * Each text is cut into windows by itself; its last one may be shorter. A window begins with the start token where the model
 * starts texts with one, as generation does.
 */
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import { RadialRuntimeError, checkPixels } from '../../../runtime/index.ts';
import type { Pixels, RadialModel } from '../../../runtime/index.ts';
import { codecOf } from '../text/codec.ts';
import { sizeOf, textRuns } from '../text/runs.ts';
import type { Subject } from './profile.ts';

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

async function* windows(
  model: RadialModel,
  { window, maxTokens, files }: Subject,
  { paths }: Sources,
): AsyncGenerator<Item, void> {
  const codec = codecOf(model);
  const length = window - codec.start.length;
  if (length < 1) {
    fail('RC1207', `a window of ${window} has no room beside the start token`, { help: 'give a larger --window' });
  }
  for await (const { ids, progress } of textRuns(codec, { paths, files, maxTokens }, { length, shared: 0 })) {
    yield { input: [...codec.start, ...ids], progress };
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
