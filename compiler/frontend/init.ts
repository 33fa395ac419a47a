/**
 * @file Writes a checkpoint of random weights for any supported config: `radialc init`.
 *
 * The numbers depend on the config, the seed and the generator in `ir/random.ts` only. Weights are drawn while they are
 * written, so that a model of any size needs little memory. The folder appears when it is complete.
 */
import { randomBytes } from 'node:crypto';
import { readdirSync, renameSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fail } from '../../ir/diagnostics/diagnostic.ts';
import { createRandom, normals } from '../../ir/index.ts';
import { readConfig } from './config/read-config.ts';
import type { ModelConfig } from './config/types.ts';
import { checkpointTensors } from './families/index.ts';
import type { TensorSpec } from './families/tensors.ts';
import { makeFolders } from './files.ts';
import { isJsonObject, parseJson, readJsonFile } from './json.ts';
import type { JsonDocument, JsonObject } from './json.ts';
import { bytesPerWeight, torchNames } from './weights/dtypes.ts';
import type { WeightDtype } from './weights/dtypes.ts';
import { safetensorsWriter } from './weights/writer.ts';

export interface InitProgress {
  /** Weights written so far, of `total`. */
  readonly written: number;
  readonly total: number;
}

interface InitSettings {
  /** A whole number; taken modulo 2³². */
  readonly seed: number;
  /** Must not exist, or be empty. */
  readonly outDir: string;
  readonly dtype?: WeightDtype | undefined;
  /** Weights above this many bytes are written as shards of at most so many. */
  readonly maxFileBytes?: number | undefined;
  readonly onProgress?: ((progress: InitProgress) => void) | undefined;
  /** Looked at, and waited for, at every 2¹⁶ weights. */
  readonly signal?: AbortSignal | undefined;
}

/** The config is a `config.json`, by its path or by its content. */
export type InitOptions = InitSettings & ({ readonly configPath: string } | { readonly config: JsonObject });

export interface InitResult {
  readonly config: ModelConfig;
  readonly parameters: number;
  /** Of all weights. */
  readonly bytes: number;
  /** The weight files' names. */
  readonly files: readonly string[];
}

/** Even, because normals come in pairs. */
const CHUNK = 1 << 16;
const MAX_FILE_BYTES = 2e9;

/** @throws RadialError RC013x, RC015x, RC02xx (the config), RC0143, RC0260, RC0261 (the folder); the signal's reason */
export async function initCheckpoint(options: InitOptions): Promise<InitResult> {
  const document = configDocument(options);
  const config = readConfig(document);
  const dtype = options.dtype ?? 'F32';
  const target = resolve(options.outDir);
  refuseUsed(target);
  const temporary = `${target}.${randomBytes(6).toString('hex')}.tmp`;
  onDisk(target, () => {
    makeFolders(temporary);
  });
  try {
    const tensors = checkpointTensors(config);
    const files = await writeWeights(temporary, tensors, dtype, options);
    onDisk(target, () => {
      writeFileSync(join(temporary, 'config.json'), configText(document, dtype));
      if (exists(target)) rmdirSync(target);
      renameSync(temporary, target);
    });
    const parameters = tensors.reduce((sum, { shape }) => sum + elements(shape), 0);
    return { config, parameters, bytes: parameters * bytesPerWeight[dtype], files };
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw error;
  }
}

function configDocument(options: InitOptions): JsonDocument {
  if ('configPath' in options) {
    const path = resolve(options.configPath);
    return readJsonFile(dirname(path), basename(path));
  }
  return parseJson(new TextEncoder().encode(JSON.stringify(options.config)), 'config.json');
}

function configText(document: JsonDocument, dtype: WeightDtype): string {
  const fields = isJsonObject(document.value) ? document.value : {};
  return `${JSON.stringify({ ...fields, torch_dtype: torchNames[dtype] }, undefined, 2)}\n`;
}

function refuseUsed(target: string): void {
  const used = onDisk(
    target,
    () => exists(target) && !(statSync(target).isDirectory() && readdirSync(target).length === 0),
  );
  if (used) {
    fail('RC0260', 'the output folder exists and is not empty', {
      place: { file: target },
      help: 'name another folder, or remove this one first',
    });
  }
}

/** Writes one file, or shards with their index; returns the files' names. */
async function writeWeights(
  folder: string,
  tensors: readonly TensorSpec[],
  dtype: WeightDtype,
  options: InitSettings,
): Promise<readonly string[]> {
  const shards = planShards(tensors, bytesPerWeight[dtype], options.maxFileBytes ?? MAX_FILE_BYTES);
  const total = tensors.reduce((sum, { shape }) => sum + elements(shape), 0);
  const draw = createDrawer(total, options);
  const index: [string, string][] = [];
  const files: string[] = [];
  for (const [number, shard] of shards.entries()) {
    const file =
      shards.length === 1 ? 'model.safetensors' : `model-${padded(number + 1)}-of-${padded(shards.length)}.safetensors`;
    const list = shard.map((spec) => ({ name: spec.name, dtype, shape: spec.shape, data: draw(spec) }));
    for (const _ of safetensorsWriter(join(folder, file), list, { format: 'pt' })) {
      // Lets the caller's abort and its progress display in.
      await setImmediate();
      options.signal?.throwIfAborted();
    }
    for (const { name } of shard) index.push([name, file]);
    files.push(file);
  }
  if (shards.length > 1) {
    const content = { metadata: { total_size: total * bytesPerWeight[dtype] }, weight_map: Object.fromEntries(index) };
    const path = join(folder, 'model.safetensors.index.json');
    onDisk(path, () => {
      writeFileSync(path, `${JSON.stringify(content, undefined, 2)}\n`);
    });
  }
  return files;
}

/** Consecutive tensors, together of at most `limit` bytes where they are more than one. */
function planShards(
  tensors: readonly TensorSpec[],
  bytesPerElement: number,
  limit: number,
): readonly (readonly TensorSpec[])[] {
  const shards: TensorSpec[][] = [];
  let room = 0;
  for (const spec of tensors) {
    const bytes = elements(spec.shape) * bytesPerElement;
    if (bytes > room || shards.length === 0) {
      shards.push([]);
      room = limit;
    }
    shards.at(-1)?.push(spec);
    room -= bytes;
  }
  return shards;
}

/** A function that draws tensors chunk by chunk; each chunk has a seed from one sequence, so the order of calls counts. */
function createDrawer(
  total: number,
  { seed, onProgress, signal }: InitSettings,
): (spec: TensorSpec) => Iterable<Float32Array> {
  const seeds = createRandom(seed);
  let written = 0;
  return function* draw({ shape, mean, std }) {
    const count = elements(shape);
    for (let at = 0; at < count; at += CHUNK) {
      signal?.throwIfAborted();
      const length = Math.min(CHUNK, count - at);
      yield std === 0 ? new Float32Array(length).fill(mean) : normals(length, seeds(), mean, std);
      written += length;
      onProgress?.({ written, total });
    }
  };
}

function padded(number: number): string {
  return String(number).padStart(5, '0');
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function onDisk<T>(path: string, operation: () => T): T {
  try {
    return operation();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return fail('RC0261', `the folder cannot be written (${code})`, {
      place: { file: path },
      help: code === 'ENOSPC' ? 'make room on the disk' : 'choose a folder that you may write to',
    });
  }
}
