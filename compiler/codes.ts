/** @file Every diagnostic code of the project, for `radialc explain`. */
import { textCodes, verifyCodes } from '../ir/index.ts';
import type { CodeInfo } from '../ir/index.ts';
import { passCodes } from '../passes/index.ts';
import { runtimeCodes } from '../runtime/artifact/index.ts';
import { artifactCodes } from './artifact/index.ts';
import { cliCodes } from './cli/codes.ts';
import { frontendCodes } from './frontend/index.ts';
import { routingCodes } from './routing/codes.ts';
import { trainingCodes } from './training/codes.ts';

export const codes: Readonly<Record<string, CodeInfo | undefined>> = Object.fromEntries(
  Object.entries({
    ...frontendCodes,
    ...textCodes,
    ...verifyCodes,
    ...passCodes,
    ...artifactCodes,
    ...runtimeCodes,
    ...trainingCodes,
    ...routingCodes,
    ...cliCodes,
  }).sort(([a], [b]) => a.localeCompare(b)),
);
