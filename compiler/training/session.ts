/**
 * @file A training run in a folder: from its beginning or from where it was left, with checkpoints.
 *
 * OUT/model is a Hugging Face checkpoint, with its routers where it has some, written at every checkpoint;
 * OUT/state.safetensors is what a resumed run continues from, bit for bit; OUT/log.jsonl has a line for each step.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../ir/diagnostics/diagnostic.ts';
import type { TensorToWrite } from '../frontend/weights/writer.ts';
import { evaluate } from './evaluate.ts';
import { checkpointTensors, writeCheckpoint } from './export.ts';
import { notHeld } from './faults.ts';
import { evaluateRouted } from './gates/evaluate.ts';
import type { RoutedEvaluation } from './gates/evaluate.ts';
import { writeGates } from './gates/export.ts';
import type { TrainedGates } from './gates/export.ts';
import { evaluateHub } from './hub/evaluate.ts';
import { writeHub } from './hub/export.ts';
import { openLog } from './log.ts';
import { parameterCount, parameterSpecs, parameterTensors } from './model.ts';
import { startBackend } from './matmul.ts';
import { makeFolder, replaceFiles } from './output.ts';
import type { TrainSettings } from './settings.ts';
import { loadState, requireNoState, saveState } from './state.ts';
import type { TokenizerFiles } from './tokenizer-files.ts';
import { trainedCount, trainedSpecs } from './trainee.ts';
import { initialState, requireWork, train } from './trainer.ts';
import type { StepReport } from './trainer.ts';

export interface SessionRequest {
  readonly out: string;
  readonly resume: boolean;
  readonly settings: TrainSettings;
  /** Token ids to train on. */
  readonly text: Uint16Array;
  /** Token ids that are measured at each checkpoint. */
  readonly heldOut?: Uint16Array | undefined;
  readonly tokenizer: TokenizerFiles;
  /** The parameters of the model to begin with; `distill` does not change them. */
  readonly model?: Float32Array | undefined;
  /** The tensors of that model as they are stored: what `distill` writes again; otherwise their dtypes are kept. */
  readonly stored?: readonly TensorToWrite[] | undefined;
  /** The parameters of the teacher that the settings name. */
  readonly teacher?: Float32Array | undefined;
  /** The gates to begin with, of the config of the settings. */
  readonly gates?: TrainedGates | undefined;
  readonly checkpointEvery: number;
  readonly signal: AbortSignal;
  readonly onBegin?: (begin: SessionBegin) => void;
  readonly onStep?: (report: StepReport) => void;
  readonly onCheckpoint?: (checkpoint: Checkpoint) => void;
}

export interface SessionBegin {
  /** Numbers that are trained. */
  readonly parameters: number;
  /** Steps that are done. */
  readonly step: number;
}

/** What a checkpoint measures. */
export interface Checkpoint {
  readonly step: number;
  readonly heldOut?: RoutedEvaluation | { readonly loss: number; readonly routes?: never };
  /** Where nothing is held out: what routers do on the text that they are trained on. */
  readonly training?: RoutedEvaluation;
}

/** Windows that are measured at each checkpoint. */
const GLANCE_WINDOWS = 48;
const GLANCE_BATCH = 4;
/** Walks before the one that is measured. */
const GLANCE_PASSES = 2;

/**
 * Trains until all steps are done or the signal is aborted.
 * @returns the steps that are done
 * @throws RadialError RC1101 to RC1107, RC1111 and RC0143 (a file that cannot be written), RC01xx (a damaged state)
 */
export async function runSession(request: SessionRequest): Promise<number> {
  const { out, resume, settings, text, model, checkpointEvery, signal } = request;
  requireWork(text, settings);
  requireWindow(request);
  await startBackend();
  const statePath = join(out, 'state.safetensors');
  if (!resume) requireNoState(statePath);
  makeFolder(out);
  const begin = initialState(settings, model, request.gates);
  const identity = identityOf(
    settings,
    text,
    model === undefined ? undefined : begin.parameters,
    model,
    request.teacher,
  );
  const start = resume ? loadState(statePath, identity) : begin;
  request.onBegin?.({ parameters: trainedCount(settings), step: start.step });
  const frozen = sharedCopy(settings.routed?.mode === 'distill' ? model : request.teacher);
  const log = openLog(join(out, 'log.jsonl'), start.step);
  let since = performance.now();
  const end = await train(
    text,
    settings,
    start,
    {
      onStep: (report) => {
        const seconds = (performance.now() - since) / 1000;
        log.add(rounded(report, (settings.batch * settings.tokens) / seconds));
        request.onStep?.(report);
        since = performance.now();
      },
      onCheckpoint: (state) => {
        saveState(statePath, state, identity);
        replaceFiles(join(out, 'model'), (folder) => {
          writeModel(folder, request, state.parameters);
        });
        const checkpoint = { step: state.step, ...measure(request, state.parameters) };
        log.add({ ...checkpoint, time: new Date().toISOString() });
        request.onCheckpoint?.(checkpoint);
        since = performance.now();
      },
      refusal: (parameters) => notHeld(modelTensors(request, parameters)),
      checkpointEvery,
      signal: AbortSignal.any([signal, log.failed]),
    },
    frozen,
  );
  log.failed.throwIfAborted();
  return end.step;
}

/**
 * Equal for runs that end in the same bytes; `differences` reads it. A trapezoid's steps are left out: they may be changed
 * before it falls.
 */
function identityOf(
  settings: TrainSettings,
  text: Uint16Array,
  ...begin: readonly (Float32Array | undefined)[]
): string {
  const { schedule, ...optimizer } = settings.optimizer;
  const steps = schedule === 'cosine' ? optimizer.steps : undefined;
  const fixed = { ...settings, optimizer: { ...optimizer, schedule, steps } };
  const hash = (data: Uint16Array | Float32Array): string =>
    createHash('sha256').update(data).digest('hex').slice(0, 16);
  const models = begin.flatMap((model) => (model === undefined ? [] : [` model ${hash(model)}`]));
  return `${JSON.stringify(fixed)} text ${hash(text)}${models.join('')}`;
}

/** @throws RadialError RC1101 */
function requireWindow({ heldOut, settings: { tokens } }: SessionRequest): void {
  if (heldOut === undefined || heldOut.length >= tokens) return;
  fail('RC1101', `the held-out text has ${heldOut.length} tokens, a sequence has ${tokens}`, {
    help: 'give more of it, fewer --tokens, or none',
  });
}

function sharedCopy(model: Float32Array = new Float32Array()): Float32Array {
  const shared = new Float32Array(new SharedArrayBuffer(model.byteLength));
  shared.set(model);
  return shared;
}

/** The parameters of the model itself: in `distill` those it began with. */
function modelParameters({ settings, model }: SessionRequest, trained: Float32Array): Float32Array {
  if (settings.routed?.mode === 'distill') return model ?? new Float32Array();
  return trained.subarray(0, parameterCount(parameterSpecs(settings.shape)));
}

/** The tensors of the model itself, each of the dtype that it began with. */
function modelTensors(request: SessionRequest, trained: Float32Array): readonly TensorToWrite[] {
  const { settings, stored } = request;
  if (settings.routed?.mode === 'distill' && stored !== undefined) return stored;
  const dtypes = new Map(stored?.map(({ name, dtype }) => [name, dtype]));
  return checkpointTensors(settings.shape, modelParameters(request, trained), dtypes);
}

function writeModel(dir: string, request: SessionRequest, trained: Float32Array): void {
  const { settings, tokenizer } = request;
  const { shape, routed } = settings;
  writeCheckpoint(dir, shape, modelTensors(request, trained), tokenizer);
  if (routed !== undefined) {
    (routed.hub === undefined ? writeGates : writeHub)(dir, routed.config, shape.hidden, {
      specs: trainedSpecs(settings),
      flat: trained,
    });
  }
}

function measure(request: SessionRequest, trained: Float32Array): Omit<Checkpoint, 'step'> {
  const { settings, heldOut, text } = request;
  const { shape, tokens, routed } = settings;
  const options = { tokens, batch: GLANCE_BATCH, maxWindows: GLANCE_WINDOWS };
  const model = modelParameters(request, trained);
  if (routed === undefined) {
    return heldOut === undefined ? {} : { heldOut: { loss: evaluate(shape, model, heldOut, options).loss } };
  }
  const own = parameterTensors(parameterSpecs(shape), model);
  const gates = parameterTensors(trainedSpecs(settings), trained);
  const { config, hub } = routed;
  const all = new Map([...own, ...gates]);
  const found =
    hub === undefined
      ? evaluateRouted({ shape, config }, all, heldOut ?? text, options)
      : evaluateHub({ shape, config }, all, heldOut ?? text, { ...options, passes: GLANCE_PASSES });
  tf.dispose([...own.values(), ...gates.values()]);
  return heldOut === undefined ? { training: found } : { heldOut: found };
}

function rounded({ step, loss, gradientNorm, learningRate, measured }: StepReport, tokensPerSecond: number): object {
  const round = (value: number): number => Number(value.toPrecision(6));
  const { depth, distance, usage } = measured ?? {};
  return {
    step,
    loss: round(loss),
    gradientNorm: round(gradientNorm),
    learningRate,
    tokensPerSecond: Math.round(tokensPerSecond),
    ...(measured && {
      depth: round(depth ?? NaN),
      distance: round(distance ?? NaN),
      usage: usage?.map((share) => Number(share.toFixed(3))),
    }),
  };
}
