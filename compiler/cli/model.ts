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
import type { BuildOptions } from './options.ts';

export function isArtifact(path: string): boolean {
  return existsSync(join(path, MANIFEST_FILE));
}

/** The caller disposes of the model. */
export async function openModel(path: string, options: BuildOptions): Promise<RadialModel> {
  if (isArtifact(path)) {
    refuseBuildOptions(path, options);
    return load(path);
  }
  const built = await build(buildRequest(path, options));
  try {
    const [tokenizer, config] = built.tokenizer.map(({ bytes }) => bytes);
    return await createModel({
      info: built.info,
      wasm: built.wasm,
      fillWeights: (into) => fillWeights(built.program, built.source, { into }),
      where: path,
      ...(tokenizer !== undefined && { tokenizer: { tokenizer, config } }),
    });
  } finally {
    built.close();
  }
}

/** @throws RadialError RC1014 */
export function buildRequest(input: string, options: BuildOptions): BuildRequest {
  refuseTextOptions(input, { '--weights': options.weights });
  const {
    route,
    kv,
    revisit,
    maxHops,
    optLevel,
    contextWindowSize: context,
    prefillChunkSize: chunk,
    sequences,
    weights,
    dtype,
  } = options;
  return { input, route, kv, revisit, maxHops, optLevel, context, chunk, sequences, weights, dtype };
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

/**
 * Options for IR text say nothing to a checkpoint folder.
 * @throws RadialError RC1014
 */
export function refuseTextOptions(path: string, options: Readonly<Record<string, string | undefined>>): void {
  if (path.endsWith('.rir')) return;
  const given = Object.keys(options).find((flag) => options[flag] !== undefined);
  if (given === undefined) return;
  fail('RC1014', `${given} is an option for IR text, but this is not the name of a .rir file`, {
    place: { file: path },
    help: `leave ${given} out, or name a .rir file`,
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
  sequences: '--sequences',
  weights: '--weights',
  dtype: '--dtype',
} satisfies Record<keyof BuildOptions, string>;
