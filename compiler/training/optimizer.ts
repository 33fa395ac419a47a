/**
 * @file The optimizer: Muon for the matrices of the blocks, Adam for embeddings, norms and biases; with clipping and a
 * schedule that rises, stays and falls.
 */
import type { ParameterSpec } from './model.ts';
import { muonUpdate } from './muon.ts';

export interface OptimizerOptions {
  /** The highest learning rate. */
  readonly learningRate: number;
  /** The learning rate rises linearly over so many steps. */
  readonly warmup: number;
  /** The learning rate falls linearly to 0 over the last `DECAY` of so many steps. */
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
const DECAY = 0.3;

/**
 * The learning rate of a step, counted from 0. It does not depend on `steps` before it begins to fall, so that a run may
 * still be made longer until then (Hägele et al., 2024).
 */
export function learningRateAt(step: number, { learningRate, warmup, steps }: OptimizerOptions): number {
  const rise = Math.min(1, (step + 1) / warmup);
  const fall = Math.min(1, Math.max(0, steps - step) / Math.max(1, DECAY * steps));
  return learningRate * Math.min(rise, fall);
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
  const { norm } = given;
  const scale = norm > options.clip ? options.clip / norm : 1;
  const gradient = scale === 1 ? given.gradient : given.gradient.map((value) => scale * value);
  for (const { name, shape, offset, size } of specs) {
    const part = (array: Float32Array): Float32Array => array.subarray(offset, offset + size);
    const { first, second } = given.moments;
    const parameters = part(given.parameters);
    if (name.endsWith('.weight')) {
      const [rows = 0, columns = 0] = shape;
      const rate = learningRateAt(given.step, options);
      const update = muonUpdate(part(gradient), part(first), [rows, columns]);
      for (let i = 0; i < size; i++) {
        const value = parameters[i] ?? 0;
        parameters[i] = value - rate * ((update[i] ?? 0) + options.weightDecay * value);
      }
    } else {
      const moments = { first: part(first), second: part(second) };
      adamStep({ parameters, gradient: part(gradient), moments, step: given.step }, options);
    }
  }
}

/** One step of Adam (Kingma and Ba, 2015). */
function adamStep(
  { parameters, gradient, moments, step }: Omit<OptimizerStep, 'norm'>,
  options: OptimizerOptions,
): void {
  const rate = learningRateAt(step, options);
  const correction1 = 1 / (1 - BETA1 ** (step + 1));
  const correction2 = 1 / (1 - BETA2 ** (step + 1));
  const { first, second } = moments;
  for (let i = 0; i < parameters.length; i++) {
    const g = gradient[i] ?? 0;
    const m = BETA1 * (first[i] ?? 0) + (1 - BETA1) * g;
    const v = BETA2 * (second[i] ?? 0) + (1 - BETA2) * g * g;
    first[i] = m;
    second[i] = v;
    parameters[i] = (parameters[i] ?? 0) - (rate * m * correction1) / (Math.sqrt(v * correction2) + EPSILON);
  }
}
