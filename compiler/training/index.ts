/** @file Training small OPT models: tokenizer, model, loop, checkpoints, evaluation. Only this folder loads tfjs. */
export { joinTexts } from './batches.ts';
export { trainBpe } from './bpe.ts';
export { trainingCodes } from './codes.ts';
export { evaluate } from './evaluate.ts';
export { writeCheckpoint } from './export.ts';
export { loadTrainedModel } from './load.ts';
export { parameterCount, parameterSpecs } from './model.ts';
export type { ModelShape } from './model.ts';
export { startBackend } from './ops.ts';
export { sample } from './sample.ts';
export { loadState, requireNoState, saveState } from './state.ts';
export type { RunState } from './state.ts';
export { openTokenizer, tokenizerFiles } from './tokenizer-files.ts';
export type { TextCodec } from './tokenizer-files.ts';
export type { TrainSettings } from './settings.ts';
export { initialState, train } from './trainer.ts';
export type { StepReport } from './trainer.ts';
export { trainTrigram, trigramLoss } from './trigram.ts';
