/** @file Reads a checkpoint that this folder's code wrote, to measure or sample exactly what others will load. */
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { fail } from '../../ir/diagnostics/diagnostic.ts';
import { readInFolder } from '../frontend/files.ts';
import { loadCheckpoint, openWeights, parseJson, readCheckpointConfig } from '../frontend/index.ts';
import type { Checkpoint, LoadedCheckpoint, ModelConfig } from '../frontend/index.ts';
import { checkTokenizer } from '../frontend/tokenizer/check-tokenizer.ts';
import { isWeightDtype } from '../frontend/weights/dtypes.ts';
import type { TensorToWrite } from '../frontend/weights/writer.ts';
import type { TrainedGates } from './gates/export.ts';
import { MOST_TOKENS } from './batches.ts';
import { END_OF_TEXT } from './bpe.ts';
import { readParameters } from './export.ts';
import type { ModelShape } from './model.ts';
import { openTokenizer } from './tokenizer-files.ts';
import type { TextCodec, TokenizerFiles } from './tokenizer-files.ts';

export interface TrainedModel {
  readonly shape: ModelShape;
  /** Flat, widened. */
  readonly parameters: Float32Array;
  /** The tensors of the model as they are stored, without those of routers. */
  readonly stored: readonly TensorToWrite[];
  readonly tokenizer: TokenizerFiles;
  /** Where the checkpoint has gates or a hub. */
  readonly gates: TrainedGates | undefined;
  readonly codec: TextCodec;
  /** Bytes of text that each id stands for; 0 for special tokens. */
  readonly tokenBytes: readonly number[];
}

/** As the front end reads at most. */
const MAX_TOKENIZER_BYTES = 64_000_000;

/**
 * @param expected the only shape that is taken; by default any
 * @throws RadialError RC1106 (another architecture or shape), RC01xx to RC03xx (a damaged checkpoint), RC1203 and RC0815
 * (no tokenizer, or one that cannot be used)
 */
export function loadTrainedModel(dir: string, expected?: ModelShape): TrainedModel {
  const config = trainable(readCheckpointConfig(dir), dir);
  const { layers, hiddenSize: hidden, heads, ffn, vocab, maxPositions: context } = config;
  const shape = { layers, hidden, heads, ffn, vocab, context };
  if (expected !== undefined && !isDeepStrictEqual(shape, expected)) {
    fail('RC1106', `the checkpoint's shape is ${JSON.stringify(shape)}, not ${JSON.stringify(expected)}`, {
      place: { file: join(dir, 'config.json') },
      help: 'give --layers, --hidden, --heads, --vocab and --context as in the checkpoint',
    });
  }
  const loaded = loadCheckpoint(dir);
  try {
    const tokenizer = readTokenizerFiles(loaded.checkpoint);
    return {
      shape,
      parameters: readParameters(shape, loaded.weights),
      stored: readStored(dir),
      tokenizer,
      gates: readCheckpointGates(loaded),
      codec: codecOf(tokenizer, dir),
      tokenBytes: tokenLengths(tokenizer.tokenizer as TokenizerJson),
    };
  } finally {
    loaded.checkpoint.close();
  }
}

/** The configuration, where training computes what it says, and writes it again. @throws RadialError RC1106 */
function trainable(config: ModelConfig, dir: string): Extract<ModelConfig, { family: 'opt' }> {
  const place = { file: join(dir, 'config.json') };
  const help = 'pre-norm OPT with ReLU, biases and a tied head is trained here; radialc explain RC1106 says more';
  if (config.family !== 'opt') {
    return fail('RC1106', `the checkpoint is of the family ${config.family}`, { place, help });
  }
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
  if (config.vocab > MOST_TOKENS) {
    fail('RC1106', `the vocabulary of ${config.vocab} tokens is larger than the ${MOST_TOKENS} that are trained`, {
      place,
      help: 'name a model with a smaller one; ids in training have 16 bits',
    });
  }
  const wrong = fields.filter(([, found, expected]) => found !== expected);
  if (wrong.length === 0) return config;
  const told = wrong.map(([field, found, expected]) => `${field} is ${found}, not ${expected}`);
  return fail('RC1106', `the checkpoint is another form of OPT: ${told.join('; ')}`, { place, help });
}

/** Tensors that are no weights, such as masks, are left out. @throws RadialError RC01xx */
function readStored(dir: string): readonly TensorToWrite[] {
  const weights = openWeights(dir);
  try {
    return weights.names().flatMap((name) => {
      const [shape = [], dtype = ''] = [weights.shape(name), weights.dtype(name)];
      const count = shape.reduce((product, size) => product * size, 1);
      return isWeightDtype(dtype) ? [{ name, dtype, shape, data: weights.read(name, 0, count) }] : [];
    });
  } finally {
    weights.close();
  }
}

function readCheckpointGates({ network, weights, checkpoint }: LoadedCheckpoint): TrainedGates | undefined {
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
}

/**
 * A token without an embedding is refused where a text uses it: many vocabularies have some.
 * @throws RadialError RC1203 (none), RC013x, RC015x, RC0301, RC0303
 */
function readTokenizerFiles({ dir, tokenizerPath, tokenizerConfig }: Checkpoint): TokenizerFiles {
  if (tokenizerPath === undefined) {
    return fail('RC1203', 'the model has no tokenizer', {
      place: { file: dir },
      help: 'put its tokenizer.json into the checkpoint folder',
    });
  }
  const document = parseJson(readInFolder(dir, 'tokenizer.json', MAX_TOKENIZER_BYTES), tokenizerPath);
  checkTokenizer(document);
  // As ordinary objects, which compare with those of a vocabulary that was just trained.
  return structuredClone({ tokenizer: document.value as object, config: (tokenizerConfig?.value ?? {}) as object });
}

/** @throws RadialError RC0815 (also later, where a text is encoded) */
function codecOf(files: TokenizerFiles, dir: string): TextCodec {
  const told = <T>(operation: () => T): T => {
    try {
      return operation();
    } catch (error) {
      return fail('RC0815', `the tokenizer failed: ${error instanceof Error ? error.message : String(error)}`, {
        place: { file: join(dir, 'tokenizer.json') },
        help: 'name a model with a byte-level tokenizer, as OPT has',
      });
    }
  };
  const codec = told(() => openTokenizer(files));
  return { encode: (text) => told(() => codec.encode(text)), decode: (ids) => told(() => codec.decode(ids)) };
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
