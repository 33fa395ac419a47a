/** @file The options of generation, checked. */
import type { GenerateManyOptions, GenerateOptions } from './api.ts';
import { fail } from './artifact/errors.ts';
import type { RoutingInfo } from './artifact/manifest.ts';
import {
  booleanOption,
  checkNames,
  functionOption,
  numberOption,
  perPrompt,
  signalOption,
  stringsOption,
  thresholdOption,
} from './options.ts';
import type { Router, Routes } from './routes.ts';
import { createSampler } from './sampler.ts';
import type { Sampler } from './sampler.ts';

const names = [
  'maxNewTokens', 'temperature', 'topK', 'topP', 'seed', 'stop', 'ignoreEos', 'signal', 'route', 'threshold', 'onRoute',
]; // prettier-ignore

/** Checked options. */
export interface Generation {
  /** Of a prompt. */
  readonly maxNewTokens: (prompt: number) => number | undefined;
  /** A new one for a prompt. */
  readonly sampler: (prompt: number) => Sampler;
  readonly stops: readonly string[];
  readonly ignoreEos: boolean;
  readonly signal: AbortSignal | undefined;
  readonly router: Router;
  readonly threshold: number | undefined;
  readonly onRoute: NonNullable<GenerateOptions['onRoute']>;
}

interface Surroundings {
  readonly routes: Routes;
  readonly routing: RoutingInfo;
  /** How many prompts there are; undefined where only one can be given. */
  readonly prompts: number | undefined;
}

/** @throws RadialError RC0901, RC0902, RC092x */
export function readGenerateOptions(
  options: GenerateManyOptions,
  { routes, routing, prompts }: Surroundings,
): Generation {
  checkNames(options, names);
  const { temperature, topK, topP, stop, ignoreEos, signal, route } = options;
  const heat = numberOption('temperature', temperature, { min: 0, max: 1000 }) ?? 0;
  const safe = Number.MAX_SAFE_INTEGER;
  const limits = {
    topK: numberOption('topK', topK, { min: 1, max: safe, integer: true }),
    topP: numberOption('topP', topP, { min: 0, max: 1 }),
  };
  if (heat === 0 && (limits.topK !== undefined || limits.topP !== undefined)) {
    fail('RC0902', 'topK and topP have no effect at temperature 0', { help: 'add temperature: 1, or leave them out' });
  }
  signalOption(signal);
  functionOption('onRoute', options.onRoute);
  const wholeNumbers = (name: 'maxNewTokens' | 'seed'): ((prompt: number) => number | undefined) => {
    const read = (value: unknown): number | undefined =>
      numberOption(name, value, { min: 0, max: safe, integer: true });
    return perPrompt(name, options[name], { prompts, read });
  };
  const seed = wholeNumbers('seed');
  return {
    maxNewTokens: wholeNumbers('maxNewTokens'),
    sampler: (prompt) =>
      createSampler({ temperature: heat, ...limits, seed: seed(prompt) ?? Math.floor(Math.random() * 2 ** 53) }),
    stops: stringsOption('stop', stop),
    ignoreEos: booleanOption('ignoreEos', ignoreEos),
    signal,
    router: routes.router(route),
    threshold: thresholdOption(options.threshold, routing),
    onRoute: options.onRoute ?? (() => undefined),
  };
}
