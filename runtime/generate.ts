/** @file Generates tokens one after the other. */
import type { GenerateOptions, GeneratedToken } from './api.ts';
import { fail } from './artifact/errors.ts';
import type { RoutingInfo } from './artifact/manifest.ts';
import {
  checkNames,
  booleanOption,
  functionOption,
  numberOption,
  signalOption,
  stringsOption,
  thresholdOption,
} from './options.ts';
import type { Program } from './program.ts';
import type { Router, Routes } from './routes.ts';
import { createSampler } from './sampler.ts';
import type { Sampler } from './sampler.ts';
import { runSequence } from './sequence.ts';
import { createStopFilter } from './text.ts';
import type { StopFilter, TextStream } from './text.ts';
import { turn } from './host.ts';

const names = [
  'maxNewTokens', 'temperature', 'topK', 'topP', 'seed', 'stop', 'ignoreEos', 'signal', 'route', 'threshold', 'onRoute',
]; // prettier-ignore

/** Checked options. */
export interface Generation {
  readonly maxNewTokens: number | undefined;
  readonly sampler: Sampler;
  readonly stops: readonly string[];
  readonly ignoreEos: boolean;
  readonly signal: AbortSignal | undefined;
  readonly router: Router;
  readonly threshold: number | undefined;
  readonly onRoute: NonNullable<GenerateOptions['onRoute']>;
}

/** @throws RadialError RC0901, RC0902, RC092x */
export function readGenerateOptions(options: GenerateOptions, routes: Routes, routing: RoutingInfo): Generation {
  checkNames(options, names);
  const { maxNewTokens, temperature, topK, topP, seed, stop, ignoreEos, signal, route } = options;
  const heat = numberOption('temperature', temperature, { min: 0, max: 1000 }) ?? 0;
  const safe = Number.MAX_SAFE_INTEGER;
  const limits = {
    topK: numberOption('topK', topK, { min: 1, max: safe, integer: true }),
    topP: numberOption('topP', topP, { min: 0, max: 1 }),
  };
  if (heat === 0 && (limits.topK !== undefined || limits.topP !== undefined)) {
    fail('RC0902', 'topK and topP have no effect at temperature 0', { help: 'add temperature: 1, or leave them out' });
  }
  signalOption(signal);
  functionOption('onRoute', options.onRoute);
  return {
    maxNewTokens: numberOption('maxNewTokens', maxNewTokens, { min: 0, max: safe, integer: true }),
    sampler: createSampler({
      temperature: heat,
      ...limits,
      seed: numberOption('seed', seed, { min: 0, max: safe, integer: true }) ?? Math.floor(Math.random() * 2 ** 53),
    }),
    stops: stringsOption('stop', stop),
    ignoreEos: booleanOption('ignoreEos', ignoreEos),
    signal,
    router: routes.router(route),
    threshold: thresholdOption(options.threshold, routing),
    onRoute: options.onRoute ?? (() => undefined),
  };
}

/**
 * How many tokens there is room for.
 * @throws RadialError RC0905
 */
function newTokenCount(prompt: number, wanted: number | undefined, context: number): number {
  const room = context - prompt;
  if (room < 0 || (wanted === undefined && room === 0)) {
    fail('RC0905', `the prompt has ${prompt} tokens, the context ${context}`, {
      help: 'shorten the prompt, or compile with a larger --context-window-size',
    });
  }
  if (wanted !== undefined && wanted > room) {
    fail('RC0905', `${prompt} tokens of the prompt and ${wanted} new ones are more than the context of ${context}`, {
      help: `ask for at most ${room} new tokens, or compile with a larger --context-window-size`,
    });
  }
  return wanted ?? room;
}

export interface GenerationInput {
  readonly ids: readonly number[];
  /** The text that follows the prompt; undefined without a tokenizer. */
  readonly stream: TextStream | undefined;
  /** Ends the generation by throwing. */
  readonly check: () => void;
}

export async function* generateTokens(
  program: Program,
  { ids, stream, check }: GenerationInput,
  options: Generation,
): AsyncGenerator<GeneratedToken, void, undefined> {
  const { sampler, signal, router, ignoreEos, onRoute } = options;
  const count = newTokenCount(ids.length, options.maxNewTokens, program.info.shapes.context);
  const walks = ids.map((id, position) => router(position, id));
  if (count === 0) return;
  const filter = createStopFilter(options.stops);
  const eos = new Set(ignoreEos ? [] : program.info.tokens.eos);
  program.setThreshold(options.threshold ?? program.info.routing.threshold);
  let {
    logits: [logits],
    walks: taken,
  } = await runSequence(program, { ids, walks }, { mode: 'prefill', positions: [ids.length - 1], check, signal });
  taken.forEach((walk, position) => onRoute(position, ids[position] ?? 0, walk));
  for (let n = 1; logits !== undefined; n++) {
    const path = taken.at(-1) ?? [];
    const id = sampler(logits);
    const last = n === count || eos.has(id);
    const text = show({ stream, filter, id, last });
    yield { id, text, depth: path.length, path };
    if (last || filter.stopped()) return;
    await turn(signal);
    check();
    requireToken(id, program.info.shapes.vocabulary);
    const position = ids.length + n - 1;
    const walk = router(position, id);
    program.decode(position, id, walk);
    taken = [walk ?? program.walk(0)];
    onRoute(position, id, taken[0] ?? []);
    [logits] = program.logits(0, 1);
  }
}

/** A model may have more outputs than tokens. */
function requireToken(id: number, vocabulary: number): void {
  if (id < vocabulary) return;
  fail('RC0904', `the most likely output is ${id}, but the model has ${vocabulary} tokens`, {
    help: 'end the text here with maxNewTokens; the head of the model is larger than its table of tokens',
  });
}

interface Shown {
  readonly stream: TextStream | undefined;
  readonly filter: StopFilter;
  readonly id: number;
  readonly last: boolean;
}

/** The text that token `id` lets out. */
function show({ stream, filter, id, last }: Shown): string {
  if (stream === undefined) return '';
  const text = filter.push(stream.push(id) + (last ? stream.flush() : ''));
  return last && !filter.stopped() ? text + filter.flush() : text;
}
