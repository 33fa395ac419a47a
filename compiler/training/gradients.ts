/** @file Where a step's gradient comes from: this thread, or several threads that each compute a share of the batch. */
import { Worker } from 'node:worker_threads';
import { compiledMatmul } from './matmul.ts';
import type { CompiledMatmul } from './matmul.ts';
import type { Measured } from './gates/loss.ts';
import { sharesOf } from './settings.ts';
import type { TrainSettings } from './settings.ts';
import { lossAndGradient } from './step.ts';
import type { LossAndGradient } from './step.ts';
import { trainedCount, traineeOf } from './trainee.ts';

export interface GradientSource {
  /** Loss and gradient of a step, counted from 0; the arrays change in the next call. */
  at(step: number, parameters: Float32Array): Promise<LossAndGradient>;
  close(): Promise<void>;
}

/** What a thread is given; the arrays are shared memory. */
export interface ThreadData {
  readonly text: Uint16Array;
  readonly settings: TrainSettings;
  readonly worker: number;
  /** Read by the thread at each step. */
  readonly parameters: Float32Array;
  /** Written by the thread. */
  readonly gradient: Float32Array;
  /** All threads compute with one module, and so with one rounding. */
  readonly matmul: CompiledMatmul;
  /** See {@link traineeOf}. */
  readonly frozen: Float32Array;
}

/** What a thread says when its gradient is written. */
export type Answer = Omit<LossAndGradient, 'gradient'>;

/** Starts the threads where `settings.workers` asks for several. @param frozen - see {@link traineeOf} */
export function openGradients(text: Uint16Array, settings: TrainSettings, frozen: Float32Array): GradientSource {
  return settings.workers === 1 ? here(text, settings, frozen) : inThreads(text, settings, frozen);
}

function here(text: Uint16Array, settings: TrainSettings, frozen: Float32Array): GradientSource {
  const trainee = traineeOf(settings, frozen);
  const share = sharesOf(text, settings);
  return {
    at: (step, parameters) =>
      Promise.resolve(lossAndGradient(trainee, parameters, { share: share(step, 0), step, worker: 0 })),
    close: () => Promise.resolve(),
  };
}

function inThreads(text: Uint16Array, settings: TrainSettings, frozen: Float32Array): GradientSource {
  const count = trainedCount(settings);
  const sharedText = new Uint16Array(new SharedArrayBuffer(text.byteLength));
  sharedText.set(text);
  const parameters = sharedFloats(count);
  const matmul = compiledMatmul();
  const threads = Array.from({ length: settings.workers }, (_, worker) => {
    const gradientHere = sharedFloats(count);
    const data: ThreadData = { text: sharedText, settings, worker, parameters, gradient: gradientHere, matmul, frozen };
    return { gradient: data.gradient, thread: new Worker(threadFile(), { workerData: data }) };
  });
  const mean = new Float32Array(count);
  return {
    at: async (step, current) => {
      parameters.set(current);
      const answers = await Promise.all(threads.map(({ thread }) => ask(thread, step)));
      mean.fill(0);
      for (const { gradient } of threads) {
        for (let i = 0; i < count; i++) mean[i] = (mean[i] ?? 0) + (gradient[i] ?? 0) / threads.length;
      }
      const measured = meanOf(answers.flatMap((answer) => answer.measured ?? []));
      const loss = answers.reduce((sum, answer) => sum + answer.loss, 0) / threads.length;
      return { loss, gradient: mean, ...(measured && { measured }) };
    },
    close: async () => {
      await Promise.all(threads.map(({ thread }) => thread.terminate()));
    },
  };
}

/** The mean of what equal shares have measured. */
function meanOf(all: readonly Measured[]): Measured | undefined {
  const [first] = all;
  const mean = (of: (measured: Measured) => number): number => all.reduce((sum, one) => sum + of(one), 0) / all.length;
  return (
    first && {
      depth: mean(({ depth }) => depth),
      distance: mean(({ distance }) => distance),
      usage: first.usage.map((_, i) => mean(({ usage }) => usage[i] ?? NaN)),
    }
  );
}

/** Has a thread compute its share of a step. */
function ask(thread: Worker, step: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      thread.off('error', onError);
      thread.off('message', onMessage);
    };
    const onError = (error: unknown): void => {
      settle();
      reject(error instanceof Error ? error : new Error(String(error)));
    };
    const onMessage = (answer: Answer): void => {
      settle();
      resolve(answer);
    };
    thread.on('error', onError);
    thread.on('message', onMessage);
    thread.postMessage(step);
  });
}

/** Beside this file, as source or compiled. */
function threadFile(): URL {
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new URL(`./gradient-thread.${ending}`, import.meta.url);
}

function sharedFloats(count: number): Float32Array {
  return new Float32Array(new SharedArrayBuffer(4 * count));
}
