/** @file A checkpoint compiled in memory and run, without files. */
import { fillWeights } from '../../../compiler/artifact/index.ts';
import { build } from '../../../compiler/build.ts';
import type { BuildRequest } from '../../../compiler/build.ts';
import { createModel } from '../../../runtime/index.ts';
import type { RadialModel } from '../../../runtime/index.ts';

/** Calls `use` with the compiled program. */
export async function withCompiled(request: BuildRequest, use: (model: RadialModel) => Promise<void>): Promise<void> {
  const built = await build(request);
  const { info, wasm, program, source } = built;
  try {
    const model = await createModel({ info, wasm, fillWeights: (into) => fillWeights(program, source, { into }) });
    await use(model);
    model.dispose();
  } finally {
    built.close();
  }
}
