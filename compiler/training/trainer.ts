/** @file The training loop: steps, reports and checkpoints, from the beginning or from a saved state. */
import { setImmediate } from 'node:timers/promises';
import { fail } from '../../ir/diagnostics/diagnostic.ts';
import { notFinite } from './faults.ts';
import { openGradients } from './gradients.ts';
import type { TrainedGates } from './gates/export.ts';
import type { Measured } from './gates/loss.ts';
import { gradientNorm, learningRateAt, optimizerStep } from './optimizer.ts';
import type { TrainSettings } from './settings.ts';
import type { RunState } from './state.ts';
import { firstParameters } from './first-parameters.ts';
import { trainedSpecs } from './trainee.ts';

export interface StepReport {
  /** Steps done, this one included. */
  readonly step: number;
  /** Nats per token, before the step. */
  readonly loss: number;
  readonly gradientNorm: number;
  readonly learningRate: number;
  /** Of models with gates. */
  readonly measured?: Measured;
}

export interface TrainHooks {
  readonly onStep?: (report: StepReport) => void;
  /**
   * Called every `checkpointEvery` steps, at the end, on abort and before a failure, with numbers that are finite; the
   * arrays change afterwards.
   */
  readonly onCheckpoint?: (state: RunState) => void;
  /** Why there can be no checkpoint of these parameters, in words. */
  readonly refusal?: (parameters: Float32Array) => string | undefined;
  readonly checkpointEvery?: number;
  readonly signal?: AbortSignal;
}

/** The state before the first step; see {@link firstParameters}. */
export function initialState(settings: TrainSettings, model?: Float32Array, gates?: TrainedGates): RunState {
  const parameters = firstParameters(settings, model, gates);
  const zeros = (): Float32Array => new Float32Array(parameters.length);
  return { step: 0, parameters, moments: { first: zeros(), second: zeros() } };
}

/**
 * Trains until `settings.optimizer.steps` steps are done or the signal is aborted; changes the arrays of `start`.
 * @param text token ids @param frozen see `traineeOf`
 * @returns the state after the last step
 * @throws RadialError RC1101 (too little text), RC1103 (the loss or what would be saved is not finite, or refused), RC1107
 * (no equal shares)
 */
export async function train(
  text: Uint16Array,
  settings: TrainSettings,
  start: RunState,
  hooks: TrainHooks = {},
  frozen: Float32Array = new Float32Array(),
): Promise<RunState> {
  requireWork(text, settings);
  const specs = trainedSpecs(settings);
  const { optimizer } = settings;
  const { parameters, moments } = start;
  let { step } = start;
  let saved = step === 0 ? undefined : step;
  const state = (): RunState => ({ step, parameters, moments });
  const fault = (): string | undefined => notFinite(specs, state()) ?? hooks.refusal?.(parameters);
  const save = (): void => {
    const found = fault();
    if (found !== undefined) diverged(`after step ${step} ${found}`, saved);
    hooks.onCheckpoint?.(state());
    saved = step;
  };
  const gradients = openGradients(text, settings, frozen);
  try {
    while (step < optimizer.steps && hooks.signal?.aborted !== true) {
      const { loss, gradient, measured } = await gradients.at(step, parameters);
      const norm = gradientNorm(gradient);
      if (!Number.isFinite(loss) || !Number.isFinite(norm)) {
        if (fault() === undefined) save();
        diverged(`at step ${step + 1} the loss is ${loss} and the gradient's norm ${norm}`, saved);
      }
      optimizerStep(specs, { parameters, gradient, norm, moments, step }, optimizer);
      const learningRate = learningRateAt(step, optimizer);
      hooks.onStep?.({ step: step + 1, loss, gradientNorm: norm, learningRate, ...(measured && { measured }) });
      step++;
      if (hooks.checkpointEvery !== undefined && step % hooks.checkpointEvery === 0 && step < optimizer.steps) {
        save();
      }
      await setImmediate();
    }
  } finally {
    await gradients.close();
  }
  save();
  return state();
}

/** @param saved steps of the last state that was saved, if there is one */
function diverged(message: string, saved: number | undefined): never {
  const kept = saved === undefined ? 'no state was saved before' : `the state after step ${saved} is kept`;
  return fail('RC1103', message, { help: `use a lower learning rate or a longer warm-up; ${kept}` });
}

/** @throws RadialError RC1101 (too little text), RC1107 (no equal shares) */
export function requireWork(text: Uint16Array, { batch, tokens, workers }: TrainSettings): void {
  if (text.length < 3 * batch * tokens) {
    fail('RC1101', `the text has ${text.length} tokens, fewer than three batches of ${batch} × ${tokens}`, {
      help: 'give more text, or use a smaller batch',
    });
  }
  if (!Number.isInteger(batch / workers) || batch < workers) {
    fail('RC1107', `${batch} sequences cannot be shared equally among ${workers} workers`, {
      help: 'give a batch that is a multiple of the number of workers',
    });
  }
}
