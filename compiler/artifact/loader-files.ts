/** @file The runtime as files, as `npm run build` leaves it in `dist/runtime-bundle`. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { fail } from '../../ir/index.ts';
import { LOADER_FILES } from '../../runtime/artifact/index.ts';

/** A file of the artifact that is not made by this compilation. */
export interface ExtraFile {
  /** One of the names in the manifest's contract. */
  readonly file: string;
  readonly bytes: Uint8Array;
}

/** As seen from dist/compiler/artifact, and from compiler/artifact. */
const folders = ['../../runtime-bundle/', '../../dist/runtime-bundle/'];

/** index.d.ts, index.js and tokenizer.js. @throws RadialError RC0832 when they are not built */
export function readLoaderFiles(): readonly ExtraFile[] {
  for (const folder of folders) {
    const files = LOADER_FILES.flatMap((file): readonly ExtraFile[] => {
      const bytes = readIfThere(fileURLToPath(new URL(`${folder}${file}`, import.meta.url)));
      return bytes === undefined ? [] : [{ file, bytes }];
    });
    if (files.length === LOADER_FILES.length) return files;
  }
  return fail('RC0832', 'the runtime that goes into every artifact is not built', {
    place: { file: 'dist/runtime-bundle' },
    help: 'run `npm run build` in the folder of radialc',
  });
}

function readIfThere(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}
