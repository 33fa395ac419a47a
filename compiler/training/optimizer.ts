/** @file The optimizers, AdamW and Muon, over one flat array of parameters; with clipping and schedules of the rate. */
import type { ParameterSpec } from './model.ts';
import { muonUpdate } from './muon.ts';

export const optimizers = ['adamw', 'muon'] as const;
export const schedules = ['cosine', 'trapezoid'] as const;

export interface OptimizerOptions {
  /** `muon` is for the matrices of the blocks; embeddings, norms and biases have Adam in either case. */
  readonly kind: (typeof optimizers)[number];
  /** How the learning rate ends: as a cosine to a tenth, or constant and then, over the last `DECAY`, linearly to 0. */
  readonly schedule: (typeof schedules)[number];
  /** The highest learning rate. */
  readonly learningRate: number;
  /** The learning rate of gates is so many times as high; default 1. */
  readonly gateFactor?: number;
  /** The learning rate rises linearly over so many steps. */
  readonly warmup: number;
  /** Of the whole run. */
  readonly steps: number;
  /** Of the matrices alone. */
  readonly weightDecay: number;
  /** The gradient is scaled down to this Euclidean norm when it is longer. */
  readonly clip: number;
}

/** The running averages of the gradient and, for Adam, of its square. */
export interface Moments {
  readonly first: Float32Array;
  readonly second: Float32Array;
}

const BETA1 = 0.9;
const BETA2 = 0.98;
const EPSILON = 1e-8;
const LAST_RATE = 0.1;
const DECAY = 0.3;
/** One bias of a gate stands beside many weights, which move its score together. */
const BIAS_FACTOR = 50;

/**
 * The learning rate of a step, counted from 0. That of a trapezoid does not depend on `steps` before it begins to fall, so
 * that a run may still be made longer until then (Hägele et al., 2024).
 */
export function learningRateAt(step: number, options: OptimizerOptions): number {
  const { learningRate, warmup, steps, schedule } = options;
  if (step < warmup) return (learningRate * (step + 1)) / warmup;
  if (schedule === 'trapezoid') return learningRate * Math.min(1, Math.max(0, steps - step) / (DECAY * steps));
  const progress = Math.min(1, (step - warmup) / Math.max(1, steps - warmup));
  return learningRate * (LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + Math.cos(Math.PI * progress)));
}

/** The Euclidean norm of a gradient. */
export function gradientNorm(gradient: Float32Array): number {
  let sum = 0;
  for (const value of gradient) sum += value * value;
  return Math.sqrt(sum);
}

/** What one step works on; the arrays are of one length. */
export interface OptimizerStep {
  readonly parameters: Float32Array;
  readonly gradient: Float32Array;
  /** {@link gradientNorm} of `gradient`. */
  readonly norm: number;
  readonly moments: Moments;
  /** Counted from 0. */
  readonly step: number;
}

/** Changes `parameters` and `moments`. */
export function optimizerStep(specs: readonly ParameterSpec[], given: OptimizerStep, options: OptimizerOptions): void {
  for (const { name, shape, offset, size } of specs) {
    const part = (array: Float32Array): Float32Array => array.subarray(offset, offset + size);
    const { first, second } = given.moments;
    const own: OptimizerStep = {
      ...given,
      parameters: part(given.parameters),
      gradient: part(given.gradient),
      moments: { first: part(first), second: part(second) },
    };
    const matrix = name.endsWith('.weight');
    if (matrix && options.kind === 'muon') muonStep(own, shape, options);
    else adamStep(own, { weightDecay: matrix ? options.weightDecay : 0, factor: factorOf(name, options) }, options);
  }
}

/** How much faster a parameter learns than the model. */
function factorOf(name: string, { gateFactor = 1 }: OptimizerOptions): number {
  if (!name.startsWith('gate.')) return 1;
  return name.endsWith('.score_bias') ? BIAS_FACTOR * gateFactor : gateFactor;
}

/** What the gradient is multiplied by, so that it is no longer than `clip`. */
function clipping({ norm }: OptimizerStep, { clip }: OptimizerOptions): number {
  return norm > clip ? clip / norm : 1;
}

/** One step of AdamW (Loshchilov and Hutter, 2019). */
function adamStep(
  given: OptimizerStep,
  { weightDecay, factor }: { readonly weightDecay: number; readonly factor: number },
  options: OptimizerOptions,
): void {
  const { parameters, gradient, moments, step } = given;
  const rate = factor * learningRateAt(step, options);
  const scale = clipping(given, options);
  const correction1 = 1 / (1 - BETA1 ** (step + 1));
  const correction2 = 1 / (1 - BETA2 ** (step + 1));
  const { first, second } = moments;
  for (let i = 0; i < parameters.length; i++) {
    const g = scale * (gradient[i] ?? 0);
    const m = BETA1 * (first[i] ?? 0) + (1 - BETA1) * g;
    const v = BETA2 * (second[i] ?? 0) + (1 - BETA2) * g * g;
    first[i] = m;
    second[i] = v;
    const update = (m * correction1) / (Math.sqrt(v * correction2) + EPSILON);
    const value = parameters[i] ?? 0;
    parameters[i] = value - rate * (update + weightDecay * value);
  }
}

/** One step of Muon with decoupled weight decay. */
function muonStep(given: OptimizerStep, shape: readonly number[], options: OptimizerOptions): void {
  const { parameters, gradient, moments, step } = given;
  const rate = learningRateAt(step, options);
  const scale = clipping(given, options);
  const [rows = 0, columns = 0] = shape;
  const update = muonUpdate(
    gradient.map((g) => scale * g),
    moments.first,
    [rows, columns],
  );
  for (let i = 0; i < parameters.length; i++) {
    const value = parameters[i] ?? 0;
    parameters[i] = value - rate * ((update[i] ?? 0) + options.weightDecay * value);
  }
}
