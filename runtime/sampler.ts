/**
 * @file Chooses a token from logits: greedy, or sampled from a seed.
 *
 * Sampling uses only operations that IEEE 754 defines exactly, so a seed gives the same tokens in every engine:
 * `Math.exp` may differ between engines in the last bit.
 */
import { fail } from './artifact/errors.ts';

/** The id of the next token. @throws RadialError RC0911 when there is no number among the logits */
export type Sampler = (logits: Float32Array) => number;

export interface SamplerOptions {
  /** 0: greedy. */
  readonly temperature: number;
  readonly topK: number | undefined;
  readonly topP: number | undefined;
  readonly seed: number;
}

/** Tokens that may be drawn, the most likely first where that matters. */
interface Candidates {
  readonly ids: readonly number[];
  /** Not normalised; that of the most likely token is 1. */
  readonly weights: readonly number[];
}

/** Below e^-45 of the best weight a token cannot be told from one that is never drawn: the sum of all does not change. */
const NEGLIGIBLE = -45;
/** More candidates than this are sorted; fewer are kept in order as they are found. */
const FEW = 256;

export function createSampler({ temperature, topK, topP, seed }: SamplerOptions): Sampler {
  if (temperature === 0) return mostLikely;
  const random = createRandom(seed);
  return (logits) => {
    const first = mostLikely(logits);
    const best = logits[first] ?? 0;
    // Without a number to divide: an infinite best logit is certain.
    if (best === Infinity) return first;
    const least = best + NEGLIGIBLE * temperature;
    const ids = topK === undefined ? atLeast(logits, least) : largest(logits, topK, least);
    const weights = ids.map((id) => exp(((logits[id] ?? NaN) - best) / temperature));
    const candidates = { ids, weights };
    return draw(topP === undefined ? candidates : nucleus(candidates, logits, topP), random());
  };
}

function atLeast(logits: Float32Array, least: number): readonly number[] {
  const ids: number[] = [];
  for (let id = 0; id < logits.length; id++) if ((logits[id] ?? NaN) >= least) ids.push(id);
  return ids;
}

/** The ids of the `count` largest logits, largest first; of equal ones the lower id first. */
function largest(logits: Float32Array, count: number, least: number): readonly number[] {
  if (count > FEW) return sorted(atLeast(logits, least), logits).slice(0, count);
  const ids: number[] = [];
  let bound = least;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] ?? NaN;
    if (!(ids.length < count ? logit >= bound : logit > bound)) continue;
    let place = ids.length < count ? ids.length : count - 1;
    for (; place > 0 && (logits[ids[place - 1] ?? 0] ?? 0) < logit; place--) ids[place] = ids[place - 1] ?? 0;
    ids[place] = id;
    if (ids.length === count) bound = logits[ids[count - 1] ?? 0] ?? 0;
  }
  return ids;
}

function sorted(ids: readonly number[], logits: Float32Array): readonly number[] {
  return [...ids].sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0) || a - b);
}

/** The fewest most likely candidates whose weights add up to topP of all. */
function nucleus({ ids, weights }: Candidates, logits: Float32Array, topP: number): Candidates {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  // What is below this has less than 1 - topP together, so the nucleus is among the rest.
  const least = ((1 - topP) * total) / ids.length;
  const weightOf = new Map(ids.map((id, i) => [id, weights[i] ?? 0]));
  const order = sorted(
    ids.filter((_, i) => (weights[i] ?? 0) >= least),
    logits,
  );
  let count = 0;
  for (let part = 0; count < order.length && part < topP * total; count++) part += weightOf.get(order[count] ?? 0) ?? 0;
  const top = order.slice(0, Math.max(count, 1));
  return { ids: top, weights: top.map((id) => weightOf.get(id) ?? 0) };
}

/** The lowest id of the largest logit. */
function mostLikely(logits: Float32Array): number {
  let best = -1;
  let max = -Infinity;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] ?? NaN;
    if (logit > max || (best < 0 && logit === max)) [best, max] = [id, logit];
  }
  if (best >= 0) return best;
  return fail('RC0911', 'all logits are NaN, no token can be chosen', {
    help: 'run radialc verify on the artifact; weights that overflow are the usual cause',
  });
}

/** @param at - in [0, 1) */
function draw({ ids, weights }: Candidates, at: number): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let left = at * total;
  for (let i = 0; i < ids.length; i++) {
    left -= weights[i] ?? 0;
    if (left < 0) return ids[i] ?? 0;
  }
  return ids.at(-1) ?? 0;
}

/** Numbers in [0, 1) from a seed up to 2^53 - 1: a counter, mixed; integer operations only. */
export function createRandom(seed: number): () => number {
  const low = seed >>> 0;
  const high = Math.floor(seed / 2 ** 32) >>> 0;
  let counter = 0;
  const next = (): number => {
    counter = (counter + 0x9e37_79b9) >>> 0;
    return mix(mix(counter ^ low) ^ high);
  };
  return () => ((next() >>> 6) * 2 ** 27 + (next() >>> 5)) / 2 ** 53;
}

/** A bijection of 32-bit integers that changes each bit of the result with each bit of x. */
function mix(x: number): number {
  let y = x;
  y = Math.imul(y ^ (y >>> 16), 0x7feb_352d);
  y = Math.imul(y ^ (y >>> 15), 0x846c_a68b);
  return (y ^ (y >>> 16)) >>> 0;
}

const LN2_HIGH = 0.693_147_180_369_123_8;
const LN2_LOW = 1.908_214_929_270_587_7e-10;

/** 1 / n!, for the Taylor series; quotients of whole numbers below 2^53 are exact to the last bit everywhere. */
const INVERSE_FACTORIALS = Array.from({ length: 15 }, (_, n) => {
  let factorial = 1;
  for (let i = 2; i <= n; i++) factorial *= i;
  return 1 / factorial;
});
/** 2^-k. */
const HALVES = Float64Array.from({ length: 1011 }, (_, k) => {
  let power = 1;
  for (let i = 0; i < k; i++) power /= 2;
  return power;
});

/** e^x for x ≤ 0, to about 1e-15 relative; 0 below -700 and for NaN. */
export function exp(x: number): number {
  if (!(x >= -700)) return 0;
  const k = Math.round(x / Math.LN2);
  const r = x - k * LN2_HIGH - k * LN2_LOW;
  let sum = 0;
  for (let n = 14; n >= 0; n--) sum = sum * r + (INVERSE_FACTORIALS[n] ?? 0);
  return sum * (HALVES[-k] ?? 0);
}
