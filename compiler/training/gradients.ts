/** @file Where a step's gradient comes from: this thread, or several threads that each compute a share of the batch. */
import { Worker } from 'node:worker_threads';
import { compiledMatmul } from './matmul.ts';
import type { CompiledMatmul } from './matmul.ts';
import { parameterCount, parameterSpecs } from './model.ts';
import { sharesOf } from './settings.ts';
import type { TrainSettings } from './settings.ts';
import { lossAndGradient } from './step.ts';
import type { LossAndGradient } from './step.ts';

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
}

/** Starts the threads where `settings.workers` asks for several. */
export function openGradients(text: Uint16Array, settings: TrainSettings): GradientSource {
  return settings.workers === 1 ? here(text, settings) : inThreads(text, settings);
}

function here(text: Uint16Array, settings: TrainSettings): GradientSource {
  const specs = parameterSpecs(settings.shape);
  const share = sharesOf(text, settings);
  return {
    at: (step, parameters) => Promise.resolve(lossAndGradient(specs, settings.shape, parameters, share(step, 0))),
    close: () => Promise.resolve(),
  };
}

function inThreads(text: Uint16Array, settings: TrainSettings): GradientSource {
  const count = parameterCount(parameterSpecs(settings.shape));
  const sharedText = new Uint16Array(new SharedArrayBuffer(text.byteLength));
  sharedText.set(text);
  const parameters = sharedFloats(count);
  const matmul = compiledMatmul();
  const threads = Array.from({ length: settings.workers }, (_, worker) => {
    const data: ThreadData = { text: sharedText, settings, worker, parameters, gradient: sharedFloats(count), matmul };
    return { gradient: data.gradient, thread: new Worker(threadFile(), { workerData: data }) };
  });
  const mean = new Float32Array(count);
  return {
    at: async (step, current) => {
      parameters.set(current);
      const losses = await Promise.all(threads.map(({ thread }) => ask(thread, step)));
      mean.fill(0);
      for (const { gradient } of threads) {
        for (let i = 0; i < count; i++) mean[i] = (mean[i] ?? 0) + (gradient[i] ?? 0) / threads.length;
      }
      return { loss: losses.reduce((sum, loss) => sum + loss, 0) / threads.length, gradient: mean };
    },
    close: async () => {
      await Promise.all(threads.map(({ thread }) => thread.terminate()));
    },
  };
}

/** Has a thread compute its share of a step; answers with the loss. */
function ask(thread: Worker, step: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      thread.off('error', onError);
      thread.off('message', onMessage);
    };
    const onError = (error: unknown): void => {
      settle();
      reject(error instanceof Error ? error : new Error(String(error)));
    };
    const onMessage = (loss: number): void => {
      settle();
      resolve(loss);
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
