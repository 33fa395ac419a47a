/** @file AdamW over one flat array of parameters, with clipping and a warm-up and cosine schedule. */

export interface OptimizerOptions {
  /** The highest learning rate. */
  readonly learningRate: number;
  /** The learning rate rises linearly over so many steps. */
  readonly warmup: number;
  /** The cosine reaches its end, a tenth of the highest rate, at this step. */
  readonly steps: number;
  /** Applied to matrices alone. */
  readonly weightDecay: number;
  /** The gradient is scaled down to this Euclidean norm when it is longer. */
  readonly clip: number;
}

/** The running averages of the gradient and of its square. */
export interface Moments {
  readonly first: Float32Array;
  readonly second: Float32Array;
}

const BETA1 = 0.9;
const BETA2 = 0.98;
const EPSILON = 1e-8;
const LAST_RATE = 0.1;

/** The learning rate of a step, counted from 0. */
export function learningRateAt(step: number, { learningRate, warmup, steps }: OptimizerOptions): number {
  if (step < warmup) return (learningRate * (step + 1)) / warmup;
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
export interface AdamStep {
  readonly parameters: Float32Array;
  readonly gradient: Float32Array;
  /** {@link gradientNorm} of `gradient`. */
  readonly norm: number;
  readonly moments: Moments;
  /** 1 for each parameter to which weight decay applies, 0 for the others. */
  readonly decays: Uint8Array;
  /** Counted from 0. */
  readonly step: number;
}

/** One step of AdamW (Loshchilov and Hutter, 2019); changes `parameters` and `moments`. */
export function adamStep(
  { parameters, gradient, norm, moments, decays, step }: AdamStep,
  options: OptimizerOptions,
): void {
  const rate = learningRateAt(step, options);
  const scale = norm > options.clip ? options.clip / norm : 1;
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
    const decay = decays[i] === 1 ? options.weightDecay * value : 0;
    parameters[i] = value - rate * (update + decay);
  }
}
