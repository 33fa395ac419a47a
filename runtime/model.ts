/** @file A model: a program with its weights, its tokenizer, and the rules of who may use them when. */
import type {
  ForwardOptions,
  ForwardResult,
  GenerateManyOptions,
  Ids,
  Pixels,
  RadialModel,
  SequenceToken,
} from './api.ts';
import { fail } from './artifact/errors.ts';
import type { ProgramInfo } from './artifact/manifest.ts';
import { readGenerateOptions } from './generate-options.ts';
import { generateTokens } from './generate.ts';
import type { Prompt } from './generate.ts';
import { turn } from './host.ts';
import {
  checkIds,
  checkNames,
  checkPixels,
  checkPrompts,
  checkText,
  isIds,
  positionsOption,
  signalOption,
  thresholdOption,
} from './options.ts';
import { instantiate } from './program.ts';
import type { Program } from './program.ts';
import { createRoutes } from './routes.ts';
import type { Router, Routes } from './routes.ts';
import { readProbes, runSequence } from './sequence.ts';
import type { Tokenizer } from './text.ts';

/** Contents of tokenizer.json and tokenizer_config.json. */
export interface TokenizerFiles {
  readonly tokenizer: Uint8Array;
  readonly config: Uint8Array | undefined;
}

export interface ModelParts {
  readonly info: ProgramInfo;
  readonly wasm: Uint8Array;
  /** Writes the weight image into its region of memory, which is zero. */
  readonly fillWeights: (weights: Uint8Array) => Promise<void> | void;
  readonly tokenizer?: TokenizerFiles | undefined;
  /** Folder or address that the parts are from, for messages. */
  readonly where?: string | undefined;
}

/**
 * A model from its parts, without files.
 * @throws RadialError RC0812 to RC0814, and what `fillWeights` throws
 */
export async function createModel({ info, wasm, fillWeights, tokenizer, where }: ModelParts): Promise<RadialModel> {
  const fileOf = (file: string): string => (where === undefined ? file : `${where}/${file}`);
  const program = await instantiate(info, wasm, fileOf('model.wasm'));
  await fillWeights(program.weights);
  return modelOf(program, tokenizer, fileOf('tokenizer.json'));
}

/** What a model has while it lives. */
interface State {
  program: Program | undefined;
  /** A call is under way. */
  busy: boolean;
}

function modelOf(program: Program, files: TokenizerFiles | undefined, file: string): RadialModel {
  const { info } = program;
  const state: State = { program, busy: false };
  const routes = createRoutes(info.routing);
  let loading: Promise<Tokenizer> | undefined;
  const tokenizer = (): Promise<Tokenizer> => (loading ??= loadTokenizer(files, file));
  const encode = async (text: string): Promise<readonly number[]> => {
    const ids = encodeWith(await tokenizer(), text, file);
    return info.tokens.addBos && info.tokens.bos !== null ? [info.tokens.bos, ...ids] : ids;
  };

  const read = async (prompt: unknown, number?: number): Promise<Prompt> => {
    const place = number === undefined ? undefined : { subject: `prompt ${number}` };
    const ids = checkIds(typeof prompt === 'string' ? await encode(prompt) : prompt, info.shapes.vocabulary, place);
    return { ids, place, stream: files === undefined ? undefined : (await tokenizer()).stream(ids) };
  };

  async function* tokensOf(
    prompts: readonly unknown[],
    options: GenerateManyOptions,
    isMany: boolean,
  ): AsyncGenerator<SequenceToken, void, undefined> {
    alive(state);
    requireTask(info, 'causal-lm');
    const { routing } = info;
    const generation = readGenerateOptions(options, { routes, routing, prompts: isMany ? prompts.length : undefined });
    generation.signal?.throwIfAborted();
    if (generation.stops.length > 0) requireTokenizer(files);
    const release = occupy(state);
    try {
      const inputs: Prompt[] = [];
      for (const [n, prompt] of prompts.entries()) inputs.push(await read(prompt, isMany ? n : undefined));
      yield* generateTokens(alive(state), { prompts: inputs, check: () => alive(state) }, generation);
    } finally {
      release();
    }
  }

  const dispose = (): void => {
    state.program = undefined;
  };
  return {
    info,
    async *generate(prompt, options = {}) {
      for await (const { id, text, depth, path } of tokensOf([prompt], options, false)) yield { id, text, depth, path };
    },
    async *generateMany(prompts, options = {}) {
      yield* tokensOf(checkPrompts(prompts), options, true);
    },
    forward: async (input, options = {}) => {
      alive(state);
      const release = occupy(state);
      try {
        return await forward(state, routes, { input, options });
      } finally {
        release();
      }
    },
    encode: async (text) => {
      alive(state);
      checkText(text);
      return encode(text);
    },
    decode: async (ids) => {
      alive(state);
      if (isIds(ids) && ids.length === 0) return '';
      const stream = (await tokenizer()).stream([]);
      return (
        checkIds(ids, info.shapes.outputs)
          .map((id) => stream.push(id))
          .join('') + stream.flush()
      );
    },
    dispose,
    [Symbol.asyncDispose]: async () => dispose(),
  };
}

interface ForwardCall {
  readonly input: Ids | { readonly pixelValues: Pixels };
  readonly options: ForwardOptions;
}

async function forward(state: State, routes: Routes, { input, options }: ForwardCall): Promise<ForwardResult> {
  const program = alive(state);
  const { shapes } = program.info;
  checkNames(options, ['route', 'threshold', 'mode', 'positions', 'signal']);
  const { route, mode = 'prefill', positions, signal } = options;
  if (!['prefill', 'decode'].includes(mode)) {
    fail('RC0902', 'mode is neither "prefill" nor "decode"', { help: 'leave it out, or give one of them' });
  }
  signalOption(signal);
  signal?.throwIfAborted();
  const router = routes.router(route);
  program.setThreshold(thresholdOption(options.threshold, program.info.routing) ?? program.info.routing.threshold);
  if (!isIds(input)) return forwardImage(program, input, { router, options });
  requireTask(program.info, 'causal-lm');
  const ids = checkIds(input, shapes.vocabulary);
  if (ids.length > shapes.context) {
    fail('RC0905', `the sequence has ${ids.length} tokens, the context ${shapes.context}`, {
      help: 'shorten it, or compile with a larger --context-window-size',
    });
  }
  const wanted = positionsOption(positions, ids.length);
  const walks = ids.map((id, position) => router(position, id));
  const check = (): void => void alive(state);
  const { walks: path, ...run } = await runSequence(
    program,
    { ids, walks },
    { mode, positions: wanted, check, signal },
  );
  return { ...run, depth: path.map((walk) => walk.length), path };
}

interface ImageRun {
  readonly router: Router;
  readonly options: ForwardOptions;
}

async function forwardImage(program: Program, input: unknown, { router, options }: ImageRun): Promise<ForwardResult> {
  const { info } = program;
  const { image, context } = info.shapes;
  if (typeof input !== 'object' || input === null || !('pixelValues' in input)) {
    fail('RC0907', 'the input is neither an array of token ids nor { pixelValues }', {
      help: 'give forward an array of ids, or { pixelValues } where the program is for images',
    });
  }
  checkNames(input, ['pixelValues']);
  requireTask(info, 'image-classification');
  if (options.mode === 'decode') fail('RC0902', 'an image program has no mode "decode"', { help: 'leave mode out' });
  const wanted = positionsOption(options.positions, 1);
  const pixels = checkPixels(input.pixelValues, image ?? { channels: 0, height: 0, width: 0 });
  const walks = Array.from({ length: context }, (_, position) => router(position, position));
  await turn(options.signal);
  program.reset();
  program.image(pixels, walks);
  const rows = wanted.length === 0 ? [] : program.logits(0, 1);
  const logits = rows.map((row) => row.slice());
  const path = walks.map((walk, row) => walk ?? program.walk(row));
  return { logits, depth: path.map((walk) => walk.length), path, ...readProbes(program, path) };
}

/** The program of a model that is not disposed of. */
function alive({ program }: State): Program {
  return program ?? fail('RC0909', 'the model was disposed of', { help: 'load it again' });
}

/** Makes other calls fail until the result is called. */
function occupy(state: State): () => void {
  if (state.busy) {
    fail('RC0908', 'the model is busy with another call', {
      help: 'finish or leave the other iteration first, or load the model twice',
    });
  }
  state.busy = true;
  return () => {
    state.busy = false;
  };
}

function requireTask(info: ProgramInfo, task: ProgramInfo['task']): void {
  if (info.task === task) return;
  const text = info.task === 'causal-lm';
  fail('RC0907', `${JSON.stringify(info.name)} is ${text ? 'a language model' : 'an image model'}`, {
    help: text ? 'give it a text or token ids' : 'give forward { pixelValues }',
  });
}

function requireTokenizer(files: TokenizerFiles | undefined): TokenizerFiles {
  return files ?? fail('RC0910', 'the artifact has no tokenizer', { help: 'give token ids, and no stop strings' });
}

async function loadTokenizer(given: TokenizerFiles | undefined, file: string): Promise<Tokenizer> {
  const files = requireTokenizer(given);
  try {
    const { createTokenizer } = await import('./tokenizer.ts');
    const parse = (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return createTokenizer(parse(files.tokenizer), files.config === undefined ? undefined : parse(files.config));
  } catch (error) {
    return noTokenizer(error, file);
  }
}

function encodeWith(tokenizer: Tokenizer, text: string, file: string): readonly number[] {
  try {
    return tokenizer.encode(text);
  } catch (error) {
    return noTokenizer(error, file);
  }
}

function noTokenizer(error: unknown, file: string): never {
  return fail('RC0815', `the tokenizer failed: ${error instanceof Error ? error.message : String(error)}`, {
    place: { file },
    help: 'give token ids instead of text',
    cause: error,
  });
}
