/** @file What users of the runtime see: the types of a model, its options and its results. */
import type { ProgramInfo } from './artifact/manifest.ts';
import type { Route, Walk } from './routes.ts';

export interface Progress {
  /** `compile` follows the program's bytes; `ready` is the last event. */
  readonly status: 'progress' | 'compile' | 'ready';
  /** The file that is being read. */
  readonly file: string;
  /** Bytes of all files that are read so far. */
  readonly loaded: number;
  /** Bytes of all files. */
  readonly total: number;
}

export interface LoadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Instead of the global `fetch`: to add headers, to count, to test. */
  readonly fetch?: typeof fetch | undefined;
  /** Lets the server send requests on to other origins. Default: false. */
  readonly allowRedirects?: boolean | undefined;
}

export interface GenerateOptions {
  /** Default: until the context is full. */
  readonly maxNewTokens?: number | undefined;
  /** 0, the default, always takes the most likely token, of equal ones that of the lowest id. */
  readonly temperature?: number | undefined;
  /** Samples from the k most likely tokens. */
  readonly topK?: number | undefined;
  /** Samples from the fewest most likely tokens whose probabilities add up to p. */
  readonly topP?: number | undefined;
  /** A whole number; the same seed gives the same tokens on every machine. Default: a random one. */
  readonly seed?: number | undefined;
  /** Ends before the first of these strings; they may span tokens. */
  readonly stop?: string | readonly string[] | undefined;
  /** Goes on after a token that ends a text. Default: false. */
  readonly ignoreEos?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly route?: Route | undefined;
  /**
   * In programs with gates: how sure a gate must be that a token needs its block, 0 to 1; in those that ask an oracle: a ratio.
   * Default: the model's.
   */
  readonly threshold?: number | undefined;
  /** Told of each token that has gone through the program, prompt included: its position, its id, the blocks it executed. */
  readonly onRoute?: ((position: number, id: number, path: Walk, sequence: number) => void) | undefined;
}

/** As for one prompt; of these two, a list gives each prompt its own. */
export interface GenerateManyOptions extends Omit<GenerateOptions, 'maxNewTokens' | 'seed'> {
  readonly maxNewTokens?: number | readonly number[] | undefined;
  readonly seed?: number | readonly number[] | undefined;
}

export interface GeneratedToken {
  readonly id: number;
  /**
   * What can be shown now: whole characters, without special tokens; '' while a character or a stop string may be
   * incomplete. Concatenated, the texts are the whole text. Without a tokenizer ''.
   */
  readonly text: string;
  /** Blocks executed by the pass that made this token, which is that of the token before it. */
  readonly depth: number;
  /** Those blocks, in order. */
  readonly path: Walk;
}

/** A token of one of several sequences. */
export interface SequenceToken extends GeneratedToken {
  /** Which prompt it follows, from 0. */
  readonly sequence: number;
  /** No other token of its sequence comes after it. */
  readonly last: boolean;
}

export interface ForwardOptions {
  readonly route?: Route | undefined;
  /** As in {@link GenerateOptions}. */
  readonly threshold?: number | undefined;
  /**
   * `prefill`, the default, runs tokens in chunks, except those whose walk leads backwards; `decode` runs them one by
   * one. Image programs have only `prefill`.
   */
  readonly mode?: 'prefill' | 'decode' | undefined;
  /** Positions whose logits are wanted, ascending. Default: all. */
  readonly positions?: readonly number[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ForwardResult {
  /** [position][output]; of an image one row. */
  readonly logits: readonly Float32Array[];
  /** Blocks executed by each token. */
  readonly depth: readonly number[];
  /** Those blocks, in order. */
  readonly path: readonly Walk[];
  /**
   * Only of programs that were compiled with probes: [position][3 · block + i], the Euclidean norms of what entered the
   * block (i = 0), of what its branch added (1) and of their sum (2), in its last visit; NaN for blocks not executed.
   */
  readonly probes?: readonly Float32Array[];
  /**
   * Only of programs that were compiled with probes of KV lists: [position][15 · block + 3 · report + i], for attention blocks
   * the norms of what is right (i = 0), of what a KV policy has instead for a token that skips (1), and of their difference
   * (2). Reports: k and v under `latest` (0, 1), k and v under `project` (2, 3), the hidden state that leaves the block where
   * under `absent` the token sees no other (4). The first attention block reports 4 alone.
   */
  readonly kvProbes?: readonly Float32Array[];
}

export type Ids = readonly number[] | Int32Array | Uint32Array;

/** Finite numbers: flat, or nested as [channel][row][column]. */
export type Pixels = Float32Array | readonly number[] | readonly (readonly (readonly number[])[])[];

/**
 * A loaded program. One call at a time may use its KV cache: starting a second one while an iteration or a forward pass is
 * under way is an error (RC0908).
 */
export interface RadialModel {
  readonly info: ProgramInfo;
  /**
   * Generates tokens. Nothing runs until the first is asked for; leaving the loop ends the generation. The token that
   * ends a text is the last one of the iteration.
   * @throws RadialError RC09xx at the first token; the signal's reason when aborted
   */
  generate(prompt: string | Ids, options?: GenerateOptions): AsyncGenerator<GeneratedToken, void, undefined>;
  /**
   * Generates after each of many prompts, as many at a time as the program was compiled to hold (`info.shapes.sequences`):
   * where one ends, the next takes its place. Tokens come as they are made. Each prompt gets what {@link generate} gives it
   * with the same options, whatever the others are.
   * @throws RadialError RC09xx at the first token; the signal's reason when aborted
   */
  generateMany(
    prompts: readonly (string | Ids)[],
    options?: GenerateManyOptions,
  ): AsyncGenerator<SequenceToken, void, undefined>;
  /** Logits of a sequence of token ids, or of an image. @throws RadialError RC09xx */
  forward(input: Ids | { readonly pixelValues: Pixels }, options?: ForwardOptions): Promise<ForwardResult>;
  /** The ids of a text, with the start token where the program has one. */
  encode(text: string): Promise<readonly number[]>;
  /** The text of ids, without special tokens. */
  decode(ids: Ids): Promise<string>;
  /** Gives the memory back. May be called twice. */
  dispose(): void;
  /** For `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}
