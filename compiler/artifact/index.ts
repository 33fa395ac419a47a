/** @file Artifacts, from the compiler's side: describe, fill in memory, write. */
export { bosRule } from './bos.ts';
export type { BosRule } from './bos.ts';
export { artifactCodes } from './codes.ts';
export { describeProgram } from './describe.ts';
export type { ProgramFacts } from './describe.ts';
export { irFiles, readArtifactIr } from './ir-files.ts';
export type { ArtifactIr } from './ir-files.ts';
export type { ExtraFile } from './loader-files.ts';
export { fillWeights, weightImage } from './weight-image.ts';
export type { Piece } from './weight-image.ts';
export { writeArtifact } from './write.ts';
export type { ArtifactContents, WriteOptions } from './write.ts';
