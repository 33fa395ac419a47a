/** @file Reads a checkpoint that this folder's code wrote, to measure or sample exactly what others will load. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { fail } from '../../ir/diagnostics/diagnostic.ts';
import { loadCheckpoint, openCheckpoint } from '../frontend/index.ts';
import type { ModelConfig } from '../frontend/index.ts';
import type { TrainedGates } from './gates/export.ts';
import { END_OF_TEXT } from './bpe.ts';
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
    const config = trainable(checkpoint.config, dir);
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

/** The configuration, where training computes what it says, and writes it again. @throws RadialError RC1106 */
function trainable(config: ModelConfig, dir: string): Extract<ModelConfig, { family: 'opt' }> {
  const place = { file: join(dir, 'config.json') };
  const help = 'pre-norm OPT with ReLU, biases and a tied head is trained here; radialc explain RC1106 says more';
  if (config.family !== 'opt')
    {return fail('RC1106', `the checkpoint is of the family ${config.family}`, { place, help });}
  const end = String(END_OF_TEXT);
  const fields: readonly (readonly [string, string | number | boolean | null, string | number | boolean])[] = [
    ['activation_function', config.activation, 'relu'],
    ['tie_word_embeddings', config.tieWordEmbeddings, true],
    ['do_layer_norm_before', config.preNorm, true],
    ['_remove_final_layer_norm', config.removeFinalLayerNorm, false],
    ['layer_norm_elementwise_affine', config.layerNormElementwiseAffine, true],
    ['enable_bias', config.enableBias, true],
    ['word_embed_proj_dim', config.wordEmbedProjDim, config.hiddenSize],
    ['bos_token_id', config.bosTokenId, END_OF_TEXT],
    ['eos_token_id', config.eosTokenIds.join(', '), end],
  ];
  const wrong = fields.filter(([, found, expected]) => found !== expected);
  if (wrong.length === 0) return config;
  const told = wrong.map(([field, found, expected]) => `${field} is ${found}, not ${expected}`);
  return fail('RC1106', `the checkpoint is another form of OPT: ${told.join('; ')}`, { place, help });
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
