/**
 * @file Which tokens a training step sees: a function of the seed and the step alone, so that a resumed run continues
 * exactly.
 *
 * The text is cut into windows; each pass over it cuts at other places and takes the windows in another order. Every
 * sequence begins with `</s>`, as every prompt does.
 */
import { fail } from '../../ir/diagnostics/diagnostic.ts';
import { END_OF_TEXT } from './bpe.ts';
import { mixSeeds, seededRandom, shuffled } from './random.ts';

/** Ids have 16 bits. */
export const MOST_TOKENS = 2 ** 16;

export interface Batch {
  /** batch · tokens of them, sequence by sequence. */
  readonly ids: Int32Array;
  /** What follows each id. */
  readonly targets: Int32Array;
}

export interface BatchOptions {
  readonly batch: number;
  /** Of one sequence. */
  readonly tokens: number;
  readonly seed: number;
}

/** Returns the function from a step, counted from 0, to its batch. */
export function batchesOf(text: Uint16Array, { batch, tokens, seed }: BatchOptions): (step: number) => Batch {
  const windows = Math.floor(text.length / tokens) - 1;
  const perPass = Math.floor(windows / batch);
  if (perPass < 1) throw new Error('internal: the text is shorter than two batches');
  let plan: { readonly pass: number; readonly phase: number; readonly order: Uint32Array } | undefined;
  return (step) => {
    const pass = Math.floor(step / perPass);
    if (plan?.pass !== pass) {
      const random = seededRandom(mixSeeds(seed, pass));
      plan = { pass, phase: Math.floor(random() * tokens), order: shuffled(random, windows) };
    }
    const { phase, order } = plan;
    const first = (step % perPass) * batch;
    return cutWindows(
      text,
      Array.from(order.subarray(first, first + batch), (w) => phase + w * tokens),
      tokens,
    );
  };
}

/** Where windows side by side begin; at most `maxWindows` of them, evenly spread over the text. */
export function spreadWindows(text: Uint16Array, tokens: number, maxWindows?: number): readonly number[] {
  const all = Math.floor(text.length / tokens);
  const windows = Math.min(all, maxWindows ?? all);
  return Array.from({ length: windows }, (_, i) => Math.floor((i * all) / windows) * tokens);
}

/** The windows of `tokens` tokens that begin at `starts`, as one batch. */
export function cutWindows(text: Uint16Array, starts: readonly number[], tokens: number): Batch {
  const ids = new Int32Array(starts.length * tokens);
  const targets = new Int32Array(starts.length * tokens);
  for (const [row, start] of starts.entries()) {
    const window = text.subarray(start, start + tokens);
    targets.set(window, row * tokens);
    ids.set(window.subarray(0, -1), row * tokens + 1);
    ids[row * tokens] = END_OF_TEXT;
  }
  return { ids, targets };
}

/**
 * Puts texts behind one another, each begun by `</s>`.
 * @param vocab of the model, at most {@link MOST_TOKENS}
 * @throws RadialError RC0304 (a token that the model has no embedding for)
 */
export function joinTexts(texts: readonly (readonly number[])[], vocab = MOST_TOKENS): Uint16Array {
  const joined = texts.flatMap((ids) => [END_OF_TEXT, ...ids]);
  const outside = joined.find((id) => id >= Math.min(vocab, MOST_TOKENS));
  if (outside === undefined) return Uint16Array.from(joined);
  return fail('RC0304', `the text has a token with the id ${outside}, the model has ${vocab} tokens`, {
    help: 'remove what the token stands for from the text, or take the tokenizer of the model',
  });
}
