/**
 * @file Writes an artifact: all of it or nothing, and the same bytes for the same input.
 *
 * Everything goes into a new folder beside the wanted one, which then takes its name. In an empty folder that is there
 * already everything goes into a new folder inside, and from there up.
 */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { RadialError, fail } from '../../ir/index.ts';
import type { KernelProgram, WeightSource } from '../../ir/index.ts';
import {
  FORMAT,
  FORMAT_VERSION,
  MANIFEST_FILE,
  RadialRuntimeError,
  WASM_FILE,
  manifestText,
  readManifest,
  textToSign,
} from '../../runtime/artifact/index.ts';
import type { FileEntry, Manifest, ProgramInfo, UnsignedManifest } from '../../runtime/artifact/index.ts';
import { makeFolders } from '../frontend/files.ts';
import { createChunkWriter } from './chunks.ts';
import { readLoaderFiles } from './loader-files.ts';
import type { ExtraFile } from './loader-files.ts';
import { checkOutput } from './output.ts';
import { turn, weightImage } from './weight-image.ts';

/** A compiled program with all that its artifact holds. */
export interface ArtifactContents {
  readonly info: ProgramInfo;
  /** Its `consts` and `weights` are what the weight image is made of. */
  readonly program: KernelProgram;
  readonly source: WeightSource;
  readonly wasm: Uint8Array;
  /** Version of the compiler. */
  readonly version: string;
  /** tokenizer.json and, where there is one, tokenizer_config.json; or nothing. */
  readonly tokenizer: readonly ExtraFile[];
  /** network.rir and kernels.rir, see `ir-files.ts`; or nothing. */
  readonly ir?: readonly ExtraFile[];
}

export interface WriteOptions {
  /** Bytes of the weight image that are written. */
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
  /** Instead of the built runtime. */
  readonly loader?: readonly ExtraFile[];
}

/**
 * Writes the artifact folder; an artifact that is there already is replaced.
 * @throws RadialError RC0830 (the folder holds something else), RC0831 (the system refuses), RC0832, RC0836 (beyond the
 *   format), RC0837 (the new program is in place, but the old one could not be deleted); what weights can be refused for: RC0118, RC0119, RC0833; the signal's reason when aborted. Nothing is left
 *   behind then.
 */
export async function writeArtifact(
  contents: ArtifactContents,
  outDir: string,
  options: WriteOptions = {},
): Promise<Manifest> {
  const loader = options.loader ?? readLoaderFiles();
  const { out, folder, inside } = prepare(outDir);
  try {
    const manifest = await fill(folder, contents, { ...options, loader });
    checkOutput(out, outDir, basename(folder));
    if (inside) moveUp(folder, out);
    else replace(out, folder);
    return manifest;
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw explain(error, outDir);
  }
}

interface Place {
  readonly out: string;
  /** The new folder, beside `out` or inside it. */
  readonly folder: string;
  readonly inside: boolean;
}

/** Looks at what is there, and makes the new folder. */
function prepare(outDir: string): Place {
  try {
    const out = resolve(outDir);
    const inside = checkOutput(out, outDir);
    const folder = join(inside ? out : dirname(out), `.${basename(out)}.${randomBytes(6).toString('hex')}.tmp`);
    if (!inside) makeFolders(dirname(out));
    mkdirSync(folder);
    return { out, folder, inside };
  } catch (error) {
    throw explain(error, outDir);
  }
}

async function fill(
  folder: string,
  contents: ArtifactContents,
  options: WriteOptions & { readonly loader: readonly ExtraFile[] },
): Promise<Manifest> {
  const { info, wasm, version, tokenizer, ir = [] } = contents;
  const weights = await writeWeights(folder, contents, options);
  const write = ({ file, bytes }: ExtraFile): FileEntry => {
    writeFileSync(join(folder, file), bytes, { flag: 'wx' });
    return { file, bytes: bytes.byteLength, sha256: sha256(bytes) };
  };
  const unsigned: UnsignedManifest = {
    format: FORMAT,
    formatVersion: FORMAT_VERSION,
    producer: { name: 'radialc', version },
    program: info,
    wasm: write({ file: WASM_FILE, bytes: wasm }),
    weights,
    tokenizer: byName(tokenizer).map(write),
    loader: byName(options.loader).map(write),
    ir: byName(ir).map(write),
  };
  const manifest = { ...unsigned, sha256: sha256(textToSign(unsigned)) };
  const bytes = new TextEncoder().encode(manifestText(manifest));
  await mustBeReadable(bytes);
  write({ file: MANIFEST_FILE, bytes });
  options.signal?.throwIfAborted();
  return manifest;
}

/** Ends with RC0836 where the runtime would refuse the manifest. */
async function mustBeReadable(bytes: Uint8Array): Promise<void> {
  try {
    await readManifest(bytes, sha256);
  } catch (error) {
    if (!(error instanceof RadialRuntimeError)) throw error;
    const [found] = error.diagnostics;
    fail('RC0836', `no runtime would load the program: ${found?.message ?? error.message}`, {
      place: { file: MANIFEST_FILE, ...found?.place },
      help: 'shorten what this field is made of: a name, a list in config.json, an option',
    });
  }
}

async function writeWeights(
  folder: string,
  { program, source, info }: ArtifactContents,
  { onProgress, signal }: WriteOptions,
): Promise<readonly FileEntry[]> {
  const total = info.memory.weightsBytes;
  const writer = createChunkWriter(folder);
  try {
    for (const { at, bytes } of weightImage(program, source)) {
      writer.write(at, bytes);
      onProgress?.(at + bytes.byteLength, total);
      await turn(signal);
    }
    const entries = writer.finish(total);
    onProgress?.(total, total);
    return entries;
  } finally {
    writer.close();
  }
}

/** Moves everything up into `out`; the manifest, without which it is no artifact, comes last. */
function moveUp(folder: string, out: string): void {
  const moved: string[] = [];
  try {
    for (const name of [...readdirSync(folder).filter((other) => other !== MANIFEST_FILE), MANIFEST_FILE]) {
      renameSync(join(folder, name), join(out, name));
      moved.push(name);
    }
    rmdirSync(folder);
  } catch (error) {
    for (const name of moved) rmSync(join(out, name), { recursive: true, force: true });
    throw error;
  }
}

/** Puts the new folder in the place of the old one; the old one comes back when that fails. */
function replace(out: string, folder: string): void {
  if (!existsSync(out)) {
    renameSync(folder, out);
    return;
  }
  const old = `${folder}.old`;
  renameSync(out, old);
  try {
    renameSync(folder, out);
  } catch (error) {
    renameSync(old, out);
    throw error;
  }
  try {
    rmSync(old, { recursive: true, force: true });
  } catch (error) {
    fail('RC0837', `the new program is in place, but not all of the old one could be deleted (${codeOf(error)})`, {
      place: { file: old },
      help: 'delete this folder; the new program does not need it',
    });
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}

function byName(files: readonly ExtraFile[]): readonly ExtraFile[] {
  return [...files].sort((a, b) => (a.file < b.file ? -1 : 1));
}

function sha256(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex');
}

/** What the system refuses becomes a diagnostic. */
function explain(error: unknown, outDir: string): unknown {
  if (!(error instanceof Error && 'code' in error)) return error;
  const { code } = error;
  // A path that can be none, such as one with a null character.
  const refused =
    code === 'ERR_INVALID_ARG_VALUE' ? '' : 'syscall' in error ? ` in ${String(error.syscall)}` : undefined;
  if (refused === undefined) return error;
  const message = `the system refused (${String(code)}${refused})`;
  const help = code === 'ENOSPC' ? 'make room on the disk' : 'choose a folder that you may write to';
  return new RadialError([{ code: 'RC0831', severity: 'error', message, place: { file: outDir }, help }]);
}
