/** @file The thread behind `openGradients`: computes its share of each step that it is told, and answers with the loss. */
import { parentPort, workerData } from 'node:worker_threads';
import type { ThreadData } from './gradients.ts';
import { startBackendWith } from './matmul.ts';
import { parameterSpecs } from './model.ts';
import { sharesOf } from './settings.ts';
import { lossAndGradient } from './step.ts';

const { text, settings, worker, parameters, gradient, matmul } = workerData as ThreadData;
const specs = parameterSpecs(settings.shape);
const share = sharesOf(text, settings);
await startBackendWith(matmul);
parentPort?.on('message', (step: number) => {
  const computed = lossAndGradient(specs, settings.shape, parameters, share(step, worker));
  gradient.set(computed.gradient);
  parentPort?.postMessage(computed.loss);
});
