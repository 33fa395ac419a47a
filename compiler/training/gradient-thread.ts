/** @file The thread behind `openGradients`: computes its share of each step that it is told, and answers with the loss. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Answer, ThreadData } from './gradients.ts';
import { startBackendWith } from './matmul.ts';
import { sharesOf } from './settings.ts';
import { lossAndGradient } from './step.ts';
import { traineeOf } from './trainee.ts';

const { text, settings, worker, parameters, gradient, matmul, frozen } = workerData as ThreadData;
const share = sharesOf(text, settings);
await startBackendWith(matmul);
const trainee = traineeOf(settings, frozen);
parentPort?.on('message', (step: number) => {
  const { gradient: computed, ...answer } = lossAndGradient(trainee, parameters, {
    share: share(step, worker),
    step,
    worker,
  });
  gradient.set(computed);
  parentPort?.postMessage(answer satisfies Answer);
});
