/** @file The public face of the passes: the manager, the passes by name, the pipelines, the cost model. */
export type { KernelPass, Lowering, Module, NetworkPass, Pass, PassContext, PassOptions } from './pass.ts';
export { runPasses } from './manager.ts';
export type { ManagerOptions, ModuleSize, PassesResult, PassReport } from './manager.ts';
export { levelNamed, pipelinePasses, pipelines } from './pipelines.ts';
export type { OptimisationLevel, Pipeline } from './pipelines.ts';
export { allPasses, passesNamed } from './table.ts';
export { costOf } from './analysis/cost.ts';
export type { BlockCost, NetworkCost, RegionCost } from './analysis/cost.ts';
export { kvBytesOf } from './analysis/kv-bytes.ts';
export type { KvBytes } from './analysis/kv-bytes.ts';
export { checkTraffic } from './traffic.ts';
export type { Traffic } from './traffic.ts';
export { passCodes } from './codes.ts';
