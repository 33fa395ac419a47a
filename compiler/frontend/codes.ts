/**
 * @file The diagnostics of the front end: RC01xx files and weights, RC02xx config.json and how the tensors agree with it,
 * RC03xx the tokenizer.
 */
import { configCodes } from './config/codes.ts';
import { familyCodes } from './families/codes.ts';
import { routerCodes } from './routers/codes.ts';
import { tokenizerCodes } from './tokenizer/codes.ts';
import { weightCodes } from './weights/codes.ts';

export const frontendCodes = { ...weightCodes, ...configCodes, ...familyCodes, ...routerCodes, ...tokenizerCodes };
