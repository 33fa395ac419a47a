/** @file Opens what a command was given as a runnable model: a compiled program, or a checkpoint compiled in memory. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fail } from '../../ir/index.ts';
import { MANIFEST_FILE } from '../../runtime/artifact/index.ts';
import { createModel, load } from '../../runtime/index.ts';
import type { RadialModel } from '../../runtime/index.ts';
import { fillWeights } from '../artifact/index.ts';
import { build } from '../build.ts';
import type { BuildRequest } from '../build.ts';
import type { Io } from './io.ts';
import type { BuildOptions } from './options.ts';

export function isArtifact(path: string): boolean {
  return existsSync(join(path, MANIFEST_FILE));
}

/** The caller disposes of the model. */
export async function openModel(path: string, options: BuildOptions, io: Io): Promise<RadialModel> {
  if (isArtifact(path)) {
    refuseBuildOptions(path, options);
    return load(path, { signal: io.signal });
  }
  const built = await build(buildRequest(path, options, io.signal));
  try {
    const [tokenizer, config] = built.tokenizer.map(({ bytes }) => bytes);
    return await createModel({
      info: built.info,
      wasm: built.wasm,
      fillWeights: (into) => fillWeights(built.program, built.source, { into, signal: io.signal }),
      ...(tokenizer !== undefined && { tokenizer: { tokenizer, config } }),
    });
  } finally {
    built.close();
  }
}

export function buildRequest(input: string, options: BuildOptions, signal: AbortSignal): BuildRequest {
  const {
    route,
    kv,
    revisit,
    maxHops,
    optLevel,
    contextWindowSize: context,
    prefillChunkSize: chunk,
    weights,
  } = options;
  return { input, route, kv, revisit, maxHops, optLevel, context, chunk, weights, signal };
}

/**
 * Options of compilation say nothing to a program that is compiled already.
 * @throws RadialError RC1011
 */
export function refuseBuildOptions(path: string, options: BuildOptions): void {
  const given = Object.entries(buildFlags).find(([name]) => options[name as keyof BuildOptions] !== undefined);
  if (given === undefined) return;
  fail('RC1011', `${given[1]} is an option of compilation, but the program is compiled already`, {
    place: { file: path },
    help: 'compile the checkpoint again with this option, or name the checkpoint folder here',
  });
}

const buildFlags = {
  route: '--route',
  kv: '--kv',
  revisit: '--revisit',
  maxHops: '--max-hops',
  optLevel: '-O',
  contextWindowSize: '--context-window-size',
  prefillChunkSize: '--prefill-chunk-size',
  weights: '--weights',
} satisfies Record<keyof BuildOptions, string>;
