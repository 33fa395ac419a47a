/** @file Reads the input of `forward`: sequences of ids or images, and perhaps a route. */
import { statSync } from 'node:fs';
import { z } from 'zod';
import { RadialError, fail } from '../../ir/diagnostics/diagnostic.ts';
import type { Diagnostic } from '../../ir/diagnostics/diagnostic.ts';
import { RadialRuntimeError } from '../../runtime/artifact/index.ts';
import { parseJson, readNamed } from '../frontend/index.ts';
import type { Io } from './io.ts';

/** Blocks that each token executes, as `mask[block][token]` or `walk[token][hop]`. */
export type ForwardRoute =
  { readonly mask: readonly (readonly number[])[] } | { readonly walk: readonly (readonly number[])[] };

/** An image as [channels][height][width]. */
export type Pixels = readonly (readonly (readonly number[])[])[];

/** A sequence of token ids, or an image. */
export type ForwardItem = readonly number[] | { readonly pixelValues: Pixels };

export interface ForwardInput {
  /** The file, or `stdin`. */
  readonly file: string;
  readonly kind: 'sequences' | 'images';
  readonly items: readonly ForwardItem[];
  /** Applies to each item. */
  readonly route?: ForwardRoute;
}

/** Bytes of the text: some twenty images of 3 × 224 × 224, or millions of tokens. */
const MAX_BYTES = 64 * 1024 * 1024;

const id = z.number().int();
const matrix = z.array(z.array(id));
const schema = z
  .strictObject({
    input_ids: matrix.min(1).optional(),
    pixel_values: z
      .array(z.array(z.array(z.array(z.number()))))
      .min(1)
      .optional(),
    mask: z.array(z.array(z.union([z.literal(0), z.literal(1)]))).optional(),
    walk: matrix.optional(),
  })
  .refine((value) => (value.input_ids === undefined) !== (value.pixel_values === undefined), {
    message: 'expected input_ids or pixel_values, one of them',
  })
  .refine((value) => value.mask === undefined || value.walk === undefined, {
    message: 'mask and walk exclude each other',
  });

/** @throws RadialError RC1002, RC1003, RC0132 and RC015x */
export function readForwardInput(path: string, io: Io): ForwardInput {
  const file = path === '-' ? 'stdin' : path;
  const document = parseJson(readBytes(path, io), file);
  const parsed = schema.safeParse(document.value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    fail('RC1002', issue?.message ?? 'unexpected content', {
      place: document.place(issue?.path ?? []),
      help: 'expected {"input_ids": [[1, 2, 3]], "mask": [[1, 1, 1], …]?} or {"pixel_values": […]}; radialc explain RC1002 says more',
    });
  }
  const { input_ids: sequences, pixel_values: images = [], mask, walk } = parsed.data;
  return {
    file,
    kind: sequences === undefined ? 'images' : 'sequences',
    items: sequences ?? images.map((pixelValues) => ({ pixelValues })),
    ...(mask !== undefined && { route: { mask } }),
    ...(walk !== undefined && { route: { walk } }),
  };
}

/** The error of a run again; where it names no file, it names the item of the input that it is about. */
export function refuseItem(error: unknown, { file, kind }: ForwardInput, index: number): never {
  if (!(error instanceof RadialError || error instanceof RadialRuntimeError)) throw error;
  const item = `${kind === 'images' ? 'image' : 'sequence'} ${index}`;
  const named = error.diagnostics.map((diagnostic): Diagnostic => {
    const { place } = diagnostic;
    if (place?.file !== undefined) return diagnostic;
    const subject = place?.subject === undefined ? item : `${item}, ${place.subject}`;
    return { ...diagnostic, place: { file, subject } };
  });
  throw new RadialError(named);
}

function readBytes(path: string, io: Io): Uint8Array {
  if (path === '-') return io.stdin(MAX_BYTES);
  if (isNoFile(path)) {
    fail('RC1003', 'expected a file, found a folder, a pipe or a device', {
      place: { file: path },
      help: 'name a JSON file, or give the text to standard input: --input -',
    });
  }
  return readNamed(path, MAX_BYTES);
}

/** Whether there is something else than a file. Where a shell's `<(…)` leads, no path does, so it is asked for here. */
function isNoFile(path: string): boolean {
  try {
    return !statSync(path).isFile();
  } catch {
    return false;
  }
}
