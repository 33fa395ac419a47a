/** @file Opens a checkpoint: a folder in the layout of Hugging Face with a configuration, weights and a tokenizer. */
import { basename, join, resolve } from 'node:path';
import { fail } from '../../ir/diagnostics/diagnostic.ts';
import { readConfig } from './config/read-config.ts';
import type { ModelConfig } from './config/types.ts';
import { readGenerationEos } from './config/generation.ts';
import { isPresent, mustBeFolder } from './files.ts';
import { isJsonObject, readJsonFile } from './json.ts';
import type { JsonDocument } from './json.ts';
import type { RadialConfig } from './routers/radial-config.ts';
import { openWeights } from './weights/weights.ts';
import type { Weights } from './weights/weights.ts';

export interface Checkpoint {
  readonly dir: string;
  /** The folder's own name. */
  readonly name: string;
  /** With the end-of-text ids of `generation_config.json`, where there is one, instead of those of `config.json`. */
  readonly config: ModelConfig;
  readonly weights: Weights;
  /** The path of `tokenizer.json`, where there is one. */
  readonly tokenizerPath?: string;
  /** What `tokenizer_config.json` says, where there is one. */
  readonly tokenizerConfig?: JsonDocument;
  /** What its routers are, where it has some; known once they have been read. */
  readonly radial?: RadialConfig;
  /** Closes the files of the weights. */
  close(): void;
}

/**
 * Opens a checkpoint folder; the caller closes it.
 * @throws RadialError RC01xx (files and weights), RC02xx (configuration)
 */
export function openCheckpoint(dir: string): Checkpoint {
  const config = readCheckpointConfig(dir);
  const tokenizerConfig = readOptional(dir, 'tokenizer_config.json');
  const weights = openWeights(dir);
  return {
    dir,
    name: basename(resolve(dir)),
    config,
    weights,
    ...(isPresent(join(dir, 'tokenizer.json')) && { tokenizerPath: join(dir, 'tokenizer.json') }),
    ...(tokenizerConfig !== undefined && { tokenizerConfig }),
    close: () => {
      weights.close();
    },
  };
}

/** The configuration alone: what `openCheckpoint` reads before it opens the weights. */
export function readCheckpointConfig(dir: string): ModelConfig {
  mustBeFolder(dir);
  if (!isPresent(join(dir, 'config.json'))) {
    fail('RC0201', 'the folder has no config.json', {
      place: { file: dir },
      help: 'name a folder in the layout of Hugging Face, with config.json and model.safetensors',
    });
  }
  const config = readConfig(readJsonFile(dir, 'config.json'));
  const generation = readOptional(dir, 'generation_config.json');
  if (generation === undefined || config.family === 'vit') return config;
  return { ...config, eosTokenIds: readGenerationEos(generation, config) };
}

function readOptional(dir: string, name: string): JsonDocument | undefined {
  if (!isPresent(join(dir, name))) return undefined;
  const document = readJsonFile(dir, name);
  if (!isJsonObject(document.value)) {
    fail('RC0202', `${name} is not an object`, {
      place: document.place([]),
      help: 'write its fields in braces, or remove the file: it is optional',
    });
  }
  return document;
}
