/** @file Verifies a module of any stage. */
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { KernelProgram } from '../kernel/types.ts';
import type { Network } from '../types.ts';
import { checkKernelProgram, verifyKernelProgram } from './kernel.ts';
import { checkNetwork, verifyNetwork } from './network.ts';

/** Everything that is wrong with the module; empty when it is valid. */
export function verifyModule(module: Network | KernelProgram): readonly Diagnostic[] {
  return module.stage === 'network' ? verifyNetwork(module) : verifyKernelProgram(module);
}

/** Throws a `RadialError` with everything that is wrong; `file` is where the module was read from. */
export function checkModule(module: Network | KernelProgram, file?: string): void {
  if (module.stage === 'network') checkNetwork(module, file);
  else checkKernelProgram(module, file);
}
