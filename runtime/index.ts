/** @file Loads and runs compiled programs, in Node and browsers. */
export type {
  ForwardOptions,
  ForwardResult,
  GenerateManyOptions,
  GenerateOptions,
  GeneratedToken,
  Ids,
  LoadOptions,
  Pixels,
  Progress,
  RadialModel,
  SequenceToken,
} from './api.ts';
export { RadialRuntimeError } from './artifact/errors.ts';
export type { Manifest, ProgramInfo } from './artifact/manifest.ts';
export { inspect, load } from './loader.ts';
export { createModel } from './model.ts';
export type { ModelParts, TokenizerFiles } from './model.ts';
export type { Route, Walk } from './routes.ts';
/** What the reference interpreter shares with the runtime, so that both take the same routes and refuse the same input. */
export { checkIds, checkPixels, thresholdOption } from './options.ts';
export { createRoutes } from './routes.ts';
export type { Routes } from './routes.ts';
