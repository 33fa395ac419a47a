/** @file Compiles in memory, for tests. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fillWeights } from '../../compiler/artifact/index.ts';
import { build } from '../../compiler/build.ts';
import type { BuildRequest } from '../../compiler/build.ts';
import { printModule } from '../../ir/index.ts';
import type { KernelProgram, Network } from '../../ir/index.ts';
import { createModel } from '../../runtime/index.ts';
import type { RadialModel } from '../../runtime/index.ts';

export interface CompiledModel {
  readonly model: RadialModel;
  readonly program: KernelProgram;
  readonly wasm: Uint8Array;
}

/** Builds a checkpoint folder or a `.rir` file. */
export async function compiled(request: BuildRequest): Promise<CompiledModel> {
  const built = await build(request);
  try {
    const { info, wasm, program, source } = built;
    const model = await createModel({ info, wasm, fillWeights: (into) => fillWeights(program, source, { into }) });
    return { model, program, wasm };
  } finally {
    built.close();
  }
}

/** Builds a network whose constants need no checkpoint, by way of its text. */
export async function compiledNetwork(
  network: Network,
  request: Omit<BuildRequest, 'input'> = {},
): Promise<CompiledModel> {
  const folder = mkdtempSync(join(tmpdir(), 'radialc-'));
  try {
    const input = join(folder, 'network.rir');
    writeFileSync(input, printModule(network));
    return await compiled({ ...request, input });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The largest absolute difference between two lists of rows. */
export function largestDifference(a: readonly ArrayLike<number>[], b: readonly ArrayLike<number>[]): number {
  let worst = a.length === b.length ? 0 : Infinity;
  a.forEach((row, r) => {
    const other = b[r] ?? [];
    if (other.length !== row.length) worst = Infinity;
    for (let i = 0; i < row.length; i++) {
      const difference = Math.abs((row[i] ?? NaN) - (other[i] ?? NaN));
      worst = Number.isNaN(difference) ? Infinity : Math.max(worst, difference);
    }
  });
  return worst;
}
