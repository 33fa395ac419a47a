/** @file The interpreter's face. */
export { createConstants } from './constants.ts';
export { activationFunctions } from './functions.ts';
export { createInterpreter } from './interpreter.ts';
export type { Tensor } from './tensor.ts';
export type { BlockEvent, Interpreter, RunOptions, RunResult, Walk } from './types.ts';
