/** @file The compiler as a library: what the `radialc` command is made of. */
export { build, compile } from './build.ts';
export type { Built, BuildRequest, Compiled, CompileOptions, Metafile } from './build.ts';
export { fillWeights } from './artifact/index.ts';
export { initCheckpoint, loadCheckpoint } from './frontend/index.ts';
export type { InitOptions, LoadedCheckpoint } from './frontend/index.ts';
export { RadialError, formatDiagnostic, parseModule, printModule } from '../ir/index.ts';
export type { Diagnostic, KernelProgram, Network } from '../ir/index.ts';
export { targets } from './targets.ts';
