/** @file The files of an artifact, wherever they are; each is checked for length here and for its hash. */
import { RadialRuntimeError, fail } from './artifact/errors.ts';
import { MANIFEST_FILE } from './artifact/manifest.ts';
import type { FileEntry, Manifest } from './artifact/manifest.ts';
import { MAX_MANIFEST_BYTES, readManifest } from './artifact/read-manifest.ts';
import { sha256 } from './host.ts';

/** A folder or an address. */
export interface ArtifactFiles {
  /** Path or URL, for messages. */
  readonly where: string;
  /** Whether all files are under the caller's hands, so that the loader's own files are checked too. */
  readonly local: boolean;
  /** All bytes of a file. @throws RadialError RC0806, RC0807 (longer than `most`), RC0809 to RC0811 */
  readAll(file: string, most: number): Promise<Uint8Array>;
  /** Fills `into`. @throws RadialError RC0806, RC0807 (another length), RC0809 to RC0811 */
  readInto(file: string, into: Uint8Array): Promise<void>;
}

export async function readManifestOf(files: ArtifactFiles): Promise<Manifest> {
  const bytes = await files.readAll(MANIFEST_FILE, MAX_MANIFEST_BYTES);
  return readManifest(bytes, sha256).catch((error: unknown) => {
    throw error instanceof RadialRuntimeError ? inFile(error, `${files.where}/${MANIFEST_FILE}`) : error;
  });
}

/** The error, its place in this file. */
function inFile(error: RadialRuntimeError, file: string): RadialRuntimeError {
  const [found] = error.diagnostics;
  return found === undefined
    ? error
    : new RadialRuntimeError({ ...found, place: { ...found.place, file } }, error.cause);
}

/** Fills `into`, which has the length of the entry, with what the manifest promises. @throws RadialError RC0808 */
export async function readEntry(files: ArtifactFiles, entry: FileEntry, into: Uint8Array): Promise<void> {
  await files.readInto(entry.file, into);
  if ((await sha256(into)) === entry.sha256) return;
  const html = looksLikeHtml(into);
  fail(
    html ? 'RC0810' : 'RC0808',
    html ? 'a web page came instead of the file' : 'the file is not the one that the compiler wrote',
    {
      place: { file: `${files.where}/${entry.file}` },
      help: 'compile the artifact again, or copy all of its files again from their source',
    },
  );
}

export function looksLikeHtml(start: Uint8Array): boolean {
  return /^\s*<(!doctype|html)/i.test(new TextDecoder().decode(start.subarray(0, 100)));
}

export function wrongLength(place: string, found: string, expected: number): never {
  return fail('RC0807', `the file has ${found} bytes, expected ${expected}`, {
    place: { file: place },
    help: 'copy all files of the artifact again from their source',
  });
}
