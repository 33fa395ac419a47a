/**
 * @file Artifacts in a folder, in Node. Files are read straight into the memory where they belong.
 *
 * The manifest names files by fixed names only, so none lies outside; a pipe or a device among them is not opened for
 * long.
 */
import { fail } from './artifact/errors.ts';
import type { ArtifactFiles } from './files.ts';
import { wrongLength } from './files.ts';
import { MANIFEST_FILE } from './artifact/manifest.ts';
import type { NodeModules } from './host.ts';

type FileHandle = Awaited<ReturnType<NodeModules['fs']['open']>>;

/** A read takes at most this many bytes, so that an abort is noticed. */
const STEP = 16 * 1024 * 1024;

interface OpenedFile {
  readonly handle: FileHandle;
  readonly size: number;
  readonly path: string;
  /** Its name in the artifact. */
  readonly file: string;
}

export function folderFiles(node: NodeModules, folder: string, signal: AbortSignal | undefined): ArtifactFiles {
  const { fs, constants, path } = node;
  const withFile = async <T>(file: string, use: (opened: OpenedFile) => Promise<T>): Promise<T> => {
    const full = path.join(folder, file);
    signal?.throwIfAborted();
    const handle = await fs
      .open(full, constants.O_RDONLY | (constants.O_NONBLOCK || 0))
      .catch((error: unknown) => notReadable(full, file, error));
    try {
      const stats = await handle.stat().catch((error: unknown) => notReadable(full, file, error));
      if (!stats.isFile()) {
        fail('RC0806', 'this is no file', {
          place: { file: full },
          help: 'put the file itself there; copy all files of the artifact again from their source',
        });
      }
      return await use({ handle, size: stats.size, path: full, file });
    } finally {
      await handle.close();
    }
  };
  const readInto = async ({ handle, size, path: full, file }: OpenedFile, into: Uint8Array): Promise<void> => {
    if (size !== into.byteLength) wrongLength(full, String(size), into.byteLength);
    for (let done = 0; done < into.byteLength;) {
      signal?.throwIfAborted();
      const { bytesRead } = await handle
        .read(into, done, Math.min(STEP, into.byteLength - done), done)
        .catch((error: unknown) => notReadable(full, file, error));
      if (bytesRead === 0) wrongLength(full, String(done), into.byteLength);
      done += bytesRead;
    }
  };
  return {
    where: folder,
    local: true,
    readInto: (file, into) => withFile(file, (opened) => readInto(opened, into)),
    readAll: (file, most) =>
      withFile(file, async (opened) => {
        if (opened.size > most) {
          fail('RC0807', `the file has ${opened.size} bytes, at most ${most} are read`, {
            place: { file: opened.path },
            help: 'give the folder that radialc compile wrote',
          });
        }
        const bytes = new Uint8Array(opened.size);
        await readInto(opened, bytes);
        return bytes;
      }),
  };
}

function notReadable(path: string, file: string, error: unknown): never {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  const missing = code === 'ENOENT' || code === 'ENOTDIR';
  if (missing && file === MANIFEST_FILE) {
    fail('RC0801', 'there is no artifact', {
      place: { file: path },
      help: 'give the folder that radialc compile wrote',
    });
  }
  return fail('RC0806', missing ? 'the file is missing' : `the file cannot be read (${code})`, {
    place: { file: path },
    help: 'copy all files of the artifact again from their source',
  });
}
