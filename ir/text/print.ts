/** @file Writes a module in its text form: one line an item or operation, in the module's own order. */
import type { KernelProgram } from '../kernel/types.ts';
import type { Network } from '../types.ts';
import { printKernelProgram } from './print-kernel.ts';
import { printNetwork } from './print-network.ts';

/** The text of any module, valid or not; equal modules give equal text. Ends in a line break. */
export function printModule(module: Network | KernelProgram): string {
  return module.stage === 'network' ? printNetwork(module) : printKernelProgram(module);
}
