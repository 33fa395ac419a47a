/** @file The training loop: steps, reports and checkpoints, from the beginning or from a saved state. */
import { setImmediate } from 'node:timers/promises';
import { fail } from '../../ir/diagnostics/diagnostic.ts';
import { batchesOf } from './batches.ts';
import { initialParameters, parameterSpecs } from './model.ts';
import type { DropsBlock, ModelShape, ParameterSpec } from './model.ts';
import { adamStep, gradientNorm, learningRateAt } from './optimizer.ts';
import type { OptimizerOptions } from './optimizer.ts';
import { mixSeeds, seededRandom } from './random.ts';
import type { RunState } from './state.ts';
import { lossAndGradient } from './step.ts';

/** What determines the result of a run, together with the text. */
export interface TrainSettings {
  readonly shape: ModelShape;
  /** Sequences of one step. */
  readonly batch: number;
  /** Tokens of one sequence, at most the model's context. */
  readonly tokens: number;
  readonly seed: number;
  readonly optimizer: OptimizerOptions;
  /** The chance that the last block is left out of a step; earlier blocks in proportion to their depth. */
  readonly layerDrop: number;
}

export interface StepReport {
  /** Steps done, this one included. */
  readonly step: number;
  /** Nats per token, before the step. */
  readonly loss: number;
  readonly gradientNorm: number;
  readonly learningRate: number;
}

export interface TrainHooks {
  readonly onStep?: (report: StepReport) => void;
  /** Called every `checkpointEvery` steps, at the end, on abort and before a failure; the arrays change afterwards. */
  readonly onCheckpoint?: (state: RunState) => void;
  readonly checkpointEvery?: number;
  readonly signal?: AbortSignal;
}

/** The state before the first step. */
export function initialState({ shape, seed }: TrainSettings): RunState {
  const parameters = initialParameters(parameterSpecs(shape), seed);
  const zeros = (): Float32Array => new Float32Array(parameters.length);
  return { step: 0, parameters, moments: { first: zeros(), second: zeros() } };
}

/**
 * Trains until `settings.optimizer.steps` steps are done or the signal is aborted; changes the arrays of `start`.
 * @param text token ids
 * @returns the state after the last step
 * @throws RadialError RC1101 (too little text), RC1103 (the loss is not finite)
 */
export async function train(
  text: Uint16Array,
  settings: TrainSettings,
  start: RunState,
  hooks: TrainHooks = {},
): Promise<RunState> {
  const { shape, batch, tokens, seed, optimizer } = settings;
  if (text.length < 3 * batch * tokens) {
    fail('RC1101', `the text has ${text.length} tokens, fewer than three batches of ${batch} × ${tokens}`, {
      help: 'give more text, or use a smaller batch',
    });
  }
  const specs = parameterSpecs(shape);
  const decays = decayedParameters(specs);
  const nextBatch = batchesOf(text, { batch, tokens, seed });
  const { parameters, moments } = start;
  let { step } = start;
  const state = (): RunState => ({ step, parameters, moments });
  while (step < optimizer.steps && hooks.signal?.aborted !== true) {
    const drops = dropsOf(settings, step);
    const { loss, gradient } = lossAndGradient(specs, shape, parameters, { data: nextBatch(step), batch, drops });
    const norm = gradientNorm(gradient);
    if (!Number.isFinite(loss) || !Number.isFinite(norm)) {
      hooks.onCheckpoint?.(state());
      fail('RC1103', `at step ${step + 1} the loss is ${loss} and the gradient's norm ${norm}`, {
        help: 'use a lower learning rate or a longer warm-up; the state before this step is saved',
      });
    }
    adamStep({ parameters, gradient, norm, moments, decays, step }, optimizer);
    hooks.onStep?.({ step: step + 1, loss, gradientNorm: norm, learningRate: learningRateAt(step, optimizer) });
    step++;
    if (hooks.checkpointEvery !== undefined && step % hooks.checkpointEvery === 0 && step < optimizer.steps) {
      hooks.onCheckpoint?.(state());
    }
    await setImmediate();
  }
  hooks.onCheckpoint?.(state());
  return state();
}

/** Weight decay is for matrices, but not for the embeddings. */
function decayedParameters(specs: readonly ParameterSpec[]): Uint8Array {
  const last = specs.at(-1);
  const flags = new Uint8Array(last === undefined ? 0 : last.offset + last.size);
  for (const { name, offset, size } of specs) {
    if (name.endsWith('.weight')) flags.fill(1, offset, offset + size);
  }
  return flags;
}

/** Which blocks a step leaves out (stochastic depth; Huang et al., 2016), as a function of seed and step. */
function dropsOf({ shape, seed, layerDrop }: TrainSettings, step: number): DropsBlock {
  if (layerDrop === 0) return () => false;
  const random = seededRandom(mixSeeds(seed, step, shape.layers));
  const blocks = 2 * shape.layers;
  const dropped = Array.from({ length: blocks }, (_, block) => random() < (layerDrop * (block + 1)) / blocks);
  return (block) => dropped[block] === true;
}
