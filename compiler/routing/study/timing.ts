/**
 * @file Measures decoding along routes, each beside the dense model: pairs of runs, in an order that changes from round to
 * round, and the median of their ratios. What slows the machine for a while slows both runs of a pair.
 */
import { createRandom } from '../../../ir/index.ts';
import type { RadialModel, Walk } from '../../../runtime/index.ts';
import { quartiles } from './ratios.ts';
import type { Quartiles } from './study.ts';

/** What is decoded: the beginnings of windows. */
export type Sample = readonly (readonly number[])[];

export interface Subject {
  readonly model: RadialModel;
  readonly threshold?: number | undefined;
  /** [sequence][token]; without it the program decides. */
  readonly walks?: readonly (readonly Walk[])[] | undefined;
}

export interface Timed {
  readonly ratio: Quartiles;
  /** Per token, the median. */
  readonly milliseconds: number;
}

export interface TimedRuns {
  readonly rounds: number;
  readonly dense: number;
  readonly subjects: readonly Timed[];
}

export interface TimingRules {
  readonly sample: Sample;
  readonly seed: number;
  readonly signal: AbortSignal;
  /** From 0 to 1. */
  readonly onProgress: (share: number) => void;
}

/** Rounds are as many as this time allows, from the fewest to the most. */
const BUDGET_MS = 40_000;
const [FEWEST, MOST] = [3, 15];

export async function timeRoutes(dense: Subject, subjects: readonly Subject[], rules: TimingRules): Promise<TimedRuns> {
  const { sample, seed, onProgress } = rules;
  const tokens = sample.reduce((sum, ids) => sum + ids.length, 0);
  const started = performance.now();
  // Not counted: here the engine still compiles.
  for (const subject of [dense, ...subjects]) await decode(subject, rules);
  const round = 2 * (performance.now() - started);
  const rounds = Math.min(MOST, Math.max(FEWEST, Math.floor(BUDGET_MS / round)));
  const random = createRandom(seed);
  const ratios: number[][] = subjects.map(() => []);
  const times: number[][] = subjects.map(() => []);
  const denseTimes: number[] = [];
  for (let r = 0; r < rounds; r++) {
    for (const [done, i] of shuffled(subjects.length, random).entries()) {
      const subject = subjects[i] ?? dense;
      const turn = r % 2 === 0;
      const before = turn ? await decode(dense, rules) : NaN;
      const ofSubject = await decode(subject, rules);
      const ofDense = turn ? before : await decode(dense, rules);
      denseTimes.push(ofDense);
      times[i]?.push(ofSubject);
      ratios[i]?.push(ofSubject / ofDense);
      onProgress((r + (done + 1) / subjects.length) / rounds);
    }
  }
  const median = (values: readonly number[]): number => (quartiles(values)?.median ?? NaN) / tokens;
  return {
    rounds,
    dense: median(denseTimes),
    subjects: ratios.map((values, i) => ({
      ratio: quartiles(values) ?? { p25: NaN, median: NaN, p75: NaN },
      milliseconds: median(times[i] ?? []),
    })),
  };
}

/** Milliseconds for all sequences, token by token, with the logits of each. */
async function decode({ model, threshold, walks }: Subject, { sample, signal }: TimingRules): Promise<number> {
  const started = performance.now();
  for (const [i, ids] of sample.entries()) {
    const walk = walks?.[i];
    await model.forward(ids, { mode: 'decode', threshold, signal, ...(walk !== undefined && { route: { walk } }) });
  }
  return performance.now() - started;
}

function shuffled(count: number, random: () => number): readonly number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random() % (i + 1);
    [order[i], order[j]] = [order[j] ?? 0, order[i] ?? 0];
  }
  return order;
}
