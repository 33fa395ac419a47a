/**
 * @file Generates tokens after prompts, as many of them at a time as the program holds sequences.
 *
 * In each round a sequence reads a chunk of its prompt, or takes part in a step: one token each of all the others. Where one
 * ends, the next prompt takes its place.
 */
import type { SequenceToken } from './api.ts';
import { fail } from './artifact/errors.ts';
import type { ErrorPlace } from './artifact/errors.ts';
import type { Generation } from './generate-options.ts';
import { turn } from './host.ts';
import type { Program } from './program.ts';
import type { Walk } from './routes.ts';
import type { Sampler } from './sampler.ts';
import { sweepFrom } from './sequence.ts';
import { createStopFilter } from './text.ts';
import type { StopFilter, TextStream } from './text.ts';

export interface Prompt {
  readonly ids: readonly number[];
  /** The text that follows it; undefined without a tokenizer. */
  readonly stream: TextStream | undefined;
  /** For messages. */
  readonly place?: ErrorPlace | undefined;
}

export interface GenerationInput {
  readonly prompts: readonly Prompt[];
  /** Ends the generation by throwing. */
  readonly check: () => void;
}

/** A prompt on its way. */
interface Lane {
  /** Number of the prompt. */
  readonly sequence: number;
  /** The program's sequence that holds it. */
  readonly place: number;
  /** The prompt, and what follows it. */
  readonly ids: number[];
  /** Of these tokens; undefined where the routers decide. */
  readonly walks: (Walk | undefined)[];
  readonly prompt: Prompt;
  readonly sampler: Sampler;
  readonly filter: StopFilter;
  /** Tokens to generate at most. */
  readonly count: number;
  /** Tokens that have gone through the program. */
  done: number;
  /** Where the last of them went. */
  path: Walk;
  ended: boolean;
}

export async function* generateTokens(
  program: Program,
  { prompts, check }: GenerationInput,
  options: Generation,
): AsyncGenerator<SequenceToken, void, undefined> {
  const { shapes, routing } = program.info;
  const counts = prompts.map((prompt, n) => newTokenCount(prompt, options.maxNewTokens(n), shapes.context));
  const waiting = [...prompts.entries()].filter(([n]) => counts[n] !== 0).reverse();
  const places = Array.from({ length: Math.min(shapes.sequences, waiting.length) }, (_, place) => place);
  const lanes = new Map<number, Lane>();
  program.setThreshold(options.threshold ?? routing.threshold);
  for (;;) {
    for (const place of places) {
      const [sequence, prompt] = (lanes.has(place) ? undefined : waiting.pop()) ?? [];
      if (sequence === undefined || prompt === undefined) continue;
      program.forget(place);
      lanes.set(place, startLane({ sequence, place, prompt, count: counts[sequence] ?? 0 }, options));
    }
    if (lanes.size === 0) return;
    await turn(options.signal);
    check();
    for (const [lane, token] of advance(program, [...lanes.values()], options)) {
      options.signal?.throwIfAborted();
      check();
      yield token;
      if (lane.ended) lanes.delete(lane.place);
    }
  }
}

/**
 * How many tokens there is room for.
 * @throws RadialError RC0905
 */
function newTokenCount({ ids, place }: Prompt, wanted: number | undefined, context: number): number {
  const room = context - ids.length;
  const at = place === undefined ? {} : { place };
  if (room < 0 || (wanted === undefined && room === 0)) {
    fail('RC0905', `the prompt has ${ids.length} tokens, the context ${context}`, {
      ...at,
      help: 'shorten the prompt, or compile with a larger --context-window-size',
    });
  }
  if (wanted !== undefined && wanted > room) {
    fail(
      'RC0905',
      `${ids.length} tokens of the prompt and ${wanted} new ones are more than the context of ${context}`,
      {
        ...at,
        help: `ask for at most ${room} new tokens, or compile with a larger --context-window-size`,
      },
    );
  }
  return wanted ?? room;
}

function startLane(
  { sequence, place, prompt, count }: Pick<Lane, 'sequence' | 'place' | 'prompt' | 'count'>,
  { router, sampler, stops }: Generation,
): Lane {
  return {
    sequence,
    place,
    ids: [...prompt.ids],
    walks: prompt.ids.map((id, position) => router(position, id, sequence)),
    prompt,
    sampler: sampler(sequence),
    filter: createStopFilter(stops),
    count,
    done: 0,
    path: [],
    ended: false,
  };
}

type Said = readonly [Lane, SequenceToken];

/** Lets each sequence go on, and gives the tokens that follow. */
function advance(program: Program, lanes: readonly Lane[], options: Generation): readonly Said[] {
  for (const lane of lanes) enterLast(program, lane, options);
  const said: Said[] = [];
  const stepped: Lane[] = [];
  for (const lane of lanes) {
    const count = sweepFrom(program, lane.walks, lane.done);
    if (count > 1) said.push(...readChunk(program, lane, { count, options }));
    else stepped.push(lane);
  }
  return stepped.length === 0 ? said : [...said, ...step(program, stepped, options)];
}

/** What a sequence has said becomes a token that it runs. */
function enterLast({ info }: Program, { ids, walks, sequence }: Lane, { router }: Generation): void {
  const position = ids.length - 1;
  const id = ids[position] ?? 0;
  if (walks.length > position) return;
  if (id >= info.shapes.vocabulary) {
    // A model may have more outputs than tokens.
    fail('RC0904', `the most likely output is ${id}, but the model has ${info.shapes.vocabulary} tokens`, {
      help: 'end the text here with maxNewTokens; the head of the model is larger than its table of tokens',
    });
  }
  walks.push(router(position, id, sequence));
}

interface Chunk {
  readonly count: number;
  readonly options: Generation;
}

function readChunk(program: Program, lane: Lane, { count, options }: Chunk): readonly Said[] {
  const [first, end] = [lane.done, lane.done + count];
  const { place, ids, walks } = lane;
  program.prefill({ sequence: place, first, ids: ids.slice(first, end), walks: walks.slice(first, end) });
  for (let row = 0; row < count; row++) record(program, lane, row, options);
  if (end < ids.length) return [];
  return program.logits(count - 1, 1).map((logits) => say(program, lane, logits, options));
}

/** One token of each sequence; those first that are to say what follows, so that their logits lie side by side. */
function step(program: Program, lanes: readonly Lane[], options: Generation): readonly Said[] {
  const { headRows } = program.info.shapes;
  const isDue = ({ done, ids }: Lane): boolean => done === ids.length - 1;
  const due = lanes.filter(isDue);
  const rows = [...due, ...lanes.filter((lane) => !isDue(lane))];
  program.step(
    rows.map(({ place, done, ids, walks }) => ({
      sequence: place,
      position: done,
      id: ids[done] ?? 0,
      walk: walks[done],
    })),
  );
  rows.forEach((lane, row) => record(program, lane, row, options));
  const said: Said[] = [];
  for (let row = 0; row < due.length; row += headRows) {
    const now = due.slice(row, row + headRows);
    const logits = program.logits(row, now.length);
    now.forEach((lane, i) => said.push(say(program, lane, logits[i] ?? new Float32Array(), options)));
  }
  return said;
}

/** Notes where the next token of a sequence went, which was in this row. */
function record(program: Program, lane: Lane, row: number, { onRoute }: Generation): void {
  const position = lane.done;
  lane.path = lane.walks[position] ?? program.walk(row);
  lane.done++;
  onRoute(position, lane.ids[position] ?? 0, lane.path, lane.sequence);
}

function say({ info }: Program, lane: Lane, logits: Float32Array, { ignoreEos }: Generation): Said {
  const { sequence, ids, prompt, path } = lane;
  const id = lane.sampler(logits);
  ids.push(id);
  const isLast = ids.length - prompt.ids.length === lane.count || (!ignoreEos && info.tokens.eos.includes(id));
  const text = show(lane, id, isLast);
  lane.ended = isLast || lane.filter.stopped();
  return [lane, { sequence, id, text, depth: path.length, path, last: lane.ended }];
}

/** The text that token `id` lets out. */
function show({ prompt: { stream }, filter }: Lane, id: number, isLast: boolean): string {
  if (stream === undefined) return '';
  const text = filter.push(stream.push(id) + (isLast ? stream.flush() : ''));
  return isLast && !filter.stopped() ? text + filter.flush() : text;
}
