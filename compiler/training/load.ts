/** @file Reads a checkpoint that this folder's code wrote, to measure or sample exactly what others will load. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { fail } from '../../ir/diagnostics/diagnostic.ts';
import { loadCheckpoint, openCheckpoint } from '../frontend/index.ts';
import type { TrainedGates } from './gates/export.ts';
import { readParameters } from './export.ts';
import type { ModelShape } from './model.ts';
import { openTokenizer } from './tokenizer-files.ts';
import type { TextCodec, TokenizerFiles } from './tokenizer-files.ts';

export interface TrainedModel {
  readonly shape: ModelShape;
  /** Flat, widened from F16. */
  readonly parameters: Float32Array;
  readonly tokenizer: TokenizerFiles;
  /** Where the checkpoint has gates or a hub. */
  readonly gates: TrainedGates | undefined;
  readonly codec: TextCodec;
  /** Bytes of text that each id stands for; 0 for special tokens. */
  readonly tokenBytes: readonly number[];
}

/**
 * @param expected the only shape that is taken; by default any
 * @throws RadialError RC1106 (another architecture or shape), RC01xx and RC02xx (a damaged checkpoint)
 */
export function loadTrainedModel(dir: string, expected?: ModelShape): TrainedModel {
  const checkpoint = openCheckpoint(dir);
  try {
    const { config } = checkpoint;
    if (
      config.family !== 'opt' ||
      !config.preNorm ||
      !config.enableBias ||
      config.wordEmbedProjDim !== config.hiddenSize
    ) {
      return fail('RC1106', 'the checkpoint is not a pre-norm OPT with biases, the only form that is trained here', {
        place: { file: join(dir, 'config.json') },
      });
    }
    const { layers, hiddenSize: hidden, heads, ffn, vocab, maxPositions: context } = config;
    const shape = { layers, hidden, heads, ffn, vocab, context };
    if (expected !== undefined && !isDeepStrictEqual(shape, expected)) {
      fail('RC1106', `the checkpoint's shape is ${JSON.stringify(shape)}, not ${JSON.stringify(expected)}`, {
        place: { file: join(dir, 'config.json') },
        help: 'give --layers, --hidden, --heads, --vocab and --context as in the checkpoint',
      });
    }
    const tokenizer = readJson(join(dir, 'tokenizer.json')) as TokenizerJson;
    const files = { tokenizer, config: readJson(join(dir, 'tokenizer_config.json')) };
    return {
      shape,
      parameters: readParameters(shape, checkpoint.weights),
      tokenizer: files,
      gates: readCheckpointGates(dir),
      codec: openTokenizer(files),
      tokenBytes: tokenLengths(tokenizer),
    };
  } finally {
    checkpoint.close();
  }
}

/** @throws RadialError RC01xx, RC0270 – RC0273 */
function readCheckpointGates(dir: string): TrainedGates | undefined {
  const { network, weights, checkpoint } = loadCheckpoint(dir);
  try {
    const config = checkpoint.radial;
    if (config === undefined) return undefined;
    const tensors = network.consts.filter(
      ({ name }) => name.startsWith('@router.') && weights.shape(name.slice(1)) !== undefined,
    );
    const read = tensors.map(({ name, type }) => {
      const count = type.shape.reduce<number>((product, size) => product * Number(size), 1);
      return [name.slice(1), weights.read(name.slice(1), 0, count)] as const;
    });
    const values = new Map(read);
    return { config, weights: (name) => values.get(name) ?? new Float32Array() };
  } finally {
    checkpoint.close();
  }
}

/** What is read of a tokenizer.json of our own. */
interface TokenizerJson {
  readonly added_tokens: readonly { readonly id: number }[];
  readonly model: { readonly vocab: Readonly<Record<string, number>> };
}

/** In the byte alphabet each letter is one byte. */
function tokenLengths({ added_tokens: added, model }: TokenizerJson): readonly number[] {
  const lengths: number[] = [];
  for (const [token, id] of Object.entries(model.vocab)) lengths[id] = token.length;
  for (const { id } of added) lengths[id] = 0;
  return lengths;
}

function readJson(path: string): object {
  return JSON.parse(readFileSync(path, 'utf8')) as object;
}
