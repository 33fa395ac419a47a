/** @file Reads texts in pieces, so that their length does not matter. */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import { openNamed } from '../../frontend/files.ts';

const PIECE_BYTES = 1 << 18;

/** A file that a model was run on, told by its content; its folder is left out, since reports may come from several machines. */
export interface InputFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** What can be told of a file without reading it. @throws RadialError RC0132, RC0134; for a text: RC1204 (empty) */
export function checkFile(path: string, kind: 'text' | 'images'): void {
  const file = openNamed(path);
  file.close();
  if (kind === 'text' && file.size === 0) emptyText(path);
}

/**
 * Reads a file once, to tell it by its content.
 * @throws RadialError RC0132, RC0134, RC0139; for a text: RC1205 (not UTF-8); the signal's reason
 */
export async function describeFile(path: string, kind: 'text' | 'images', signal: AbortSignal): Promise<InputFile> {
  const hash = createHash('sha256');
  let size = 0;
  const decoder = kind === 'text' ? createDecoder(path) : undefined;
  for (const piece of piecesOf(path)) {
    hash.update(piece);
    decoder?.decode(piece, size);
    size += piece.byteLength;
    await setImmediate();
    signal.throwIfAborted();
  }
  decoder?.end();
  return { name: basename(path), bytes: size, sha256: hash.digest('hex') };
}

export interface TextPart {
  readonly text: string;
  /** Bytes of the file up to the end of this part. */
  readonly end: number;
}

/** The text of a file, part by part. @throws as {@link describeFile}; RC0139 when the file is no longer what it was */
export function* readText(path: string, { sha256 }: InputFile): Generator<TextPart, void> {
  const hash = createHash('sha256');
  const decoder = createDecoder(path);
  let end = 0;
  for (const piece of piecesOf(path)) {
    hash.update(piece);
    const text = decoder.decode(piece, end);
    end += piece.byteLength;
    yield { text, end };
  }
  decoder.end();
  if (hash.digest('hex') !== sha256) {
    fail('RC0139', 'the text was changed while it was read', {
      place: { file: path },
      help: 'start again with the text as it is now',
    });
  }
}

export function emptyText(path: string): never {
  return fail('RC1204', 'the file has no tokens', {
    place: { file: path },
    help: 'give a text with at least one word',
  });
}

function* piecesOf(path: string): Generator<Uint8Array, void> {
  const file = openNamed(path);
  try {
    for (let at = 0; at < file.size; at += PIECE_BYTES) {
      const piece = new Uint8Array(Math.min(PIECE_BYTES, file.size - at));
      file.read(at, piece);
      yield piece;
    }
  } finally {
    file.close();
  }
}

/** A decoder that ends with RC1205 where bytes are no UTF-8. */
function createDecoder(path: string) {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const guarded = (piece: Uint8Array, stream: boolean, where: string): string => {
    try {
      return decoder.decode(piece, { stream });
    } catch {
      return fail('RC1205', `the text is not UTF-8: ${where}`, {
        place: { file: path },
        help: 'save it as UTF-8, for example with iconv',
      });
    }
  };
  return {
    /** @param at - how many bytes came before */
    decode: (piece: Uint8Array, at: number): string =>
      guarded(piece, true, `among bytes ${at} to ${at + piece.byteLength} is what is no character`),
    end: (): string => guarded(new Uint8Array(), false, 'it ends within a character'),
  };
}
