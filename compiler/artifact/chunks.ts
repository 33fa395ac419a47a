/** @file Writes the weight image as files of 16 MiB that are named by their hash. */
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { CHUNK_BYTES, WEIGHTS_FOLDER, chunkFile } from '../../runtime/artifact/index.ts';
import type { FileEntry } from '../../runtime/artifact/index.ts';

const ZEROS = new Uint8Array(1 << 16);

export interface ChunkWriter {
  /** Appends; gaps before `at` become zeros. */
  write(at: number, bytes: Uint8Array): void;
  /** Fills with zeros up to `total` bytes and tells what was written. */
  finish(total: number): readonly FileEntry[];
  /** Closes what is open; may always be called. */
  close(): void;
}

/** A writer into the new folder `folder/weights`. */
export function createChunkWriter(folder: string): ChunkWriter {
  mkdirSync(join(folder, WEIGHTS_FOLDER));
  const entries: FileEntry[] = [];
  let open: { readonly fd: number; readonly path: string } | undefined;
  let hash = createHash('sha256');
  let inChunk = 0;
  let position = 0;

  const begin = (): { readonly fd: number; readonly path: string } => {
    const path = join(folder, WEIGHTS_FOLDER, 'unfinished');
    hash = createHash('sha256');
    inChunk = 0;
    open = { fd: openSync(path, 'wx'), path };
    return open;
  };
  const close = (): void => {
    if (open !== undefined) closeSync(open.fd);
    open = undefined;
  };
  const end = (): void => {
    if (open === undefined) return;
    const { path } = open;
    close();
    const sha256 = hash.digest('hex');
    const file = chunkFile(entries.length, sha256);
    renameSync(path, join(folder, file));
    entries.push({ file, bytes: inChunk, sha256 });
  };
  const append = (bytes: Uint8Array): void => {
    for (let from = 0; from < bytes.byteLength;) {
      const { fd } = open ?? begin();
      const part = bytes.subarray(from, from + CHUNK_BYTES - inChunk);
      writeAll(fd, part);
      hash.update(part);
      from += part.byteLength;
      inChunk += part.byteLength;
      position += part.byteLength;
      if (inChunk === CHUNK_BYTES) end();
    }
  };
  const pad = (to: number): void => {
    if (to < position) throw new Error(`internal: byte ${to} of the weight image comes after byte ${position}`);
    for (let left = to - position; left > 0; left -= ZEROS.byteLength) append(ZEROS.subarray(0, left));
  };
  return {
    write: (at, bytes) => {
      pad(at);
      append(bytes);
    },
    finish: (total) => {
      pad(total);
      end();
      return entries;
    },
    close,
  };
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.byteLength;) done += writeSync(fd, bytes, done);
}
