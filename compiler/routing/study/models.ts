/** @file The programs that a study runs, compiled in memory from one checkpoint. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import type { Network } from '../../../ir/index.ts';
import { MANIFEST_FILE } from '../../../runtime/artifact/index.ts';
import { createModel, inspect, load } from '../../../runtime/index.ts';
import type { RadialModel } from '../../../runtime/index.ts';
import { fillWeights } from '../../artifact/index.ts';
import { build } from '../../build.ts';
import type { BuildRequest } from '../../build.ts';
import { openInput } from '../../input.ts';
import { modelHash } from '../model-hash.ts';

/** What the models of a study come from. */
export interface Origin {
  readonly path: string;
  readonly sha256: string;
  readonly family: string;
  /** As the front end makes it. */
  readonly network: Network;
  readonly router: 'gate' | 'hub' | null;
}

/** @throws RadialError RC1261, and what opening a checkpoint can end with */
export async function openOrigin(path: string, signal: AbortSignal): Promise<Origin> {
  const isArtifact = existsSync(join(path, MANIFEST_FILE));
  if (isArtifact || path.endsWith('.rir')) {
    fail('RC1261', `a study cannot start from ${isArtifact ? 'a compiled program' : 'a module in text form'}`, {
      place: { file: path },
      help: 'name the checkpoint folder that it was made from',
    });
  }
  const input = openInput(path);
  try {
    const { module, family } = input;
    if (module.stage !== 'network') throw new Error('internal: a checkpoint is no network');
    const router = routerOf(module);
    return { path, sha256: await modelHash(input, signal), family, network: module, router };
  } finally {
    input.close();
  }
}

/** Tells a model by its content: graph and weights of a checkpoint, all files of a compiled program. */
export async function denseHash(path: string, signal: AbortSignal): Promise<string> {
  if (existsSync(join(path, MANIFEST_FILE))) return (await inspect(path, { signal })).sha256;
  const input = openInput(path);
  try {
    return await modelHash(input, signal);
  } finally {
    input.close();
  }
}

function routerOf({ hub, blocks }: Network): Origin['router'] {
  if (hub !== undefined) return 'hub';
  return blocks.some(({ gate }) => gate !== undefined) ? 'gate' : null;
}

export interface Opened {
  readonly model: RadialModel;
  readonly wasmBytes: number;
}

/** Opens models, and disposes of all of them at the end. */
export interface Programs {
  readonly open: (request: BuildRequest) => Promise<Opened>;
  /** A compiled program or a checkpoint. */
  readonly openDense: (path: string, signal: AbortSignal) => Promise<RadialModel>;
  readonly close: () => void;
}

export function createPrograms(): Programs {
  const models: RadialModel[] = [];
  const keep = (model: RadialModel): RadialModel => {
    models.push(model);
    return model;
  };
  const open = async (request: BuildRequest): Promise<Opened> => {
    const built = await build(request);
    try {
      const { info, wasm, program, source, tokenizer: files } = built;
      const [tokenizer, config] = files.map(({ bytes }) => bytes);
      const model = await createModel({
        info,
        wasm,
        fillWeights: (into) =>
          fillWeights(program, source, { into, ...(request.signal && { signal: request.signal }) }),
        where: request.input,
        ...(tokenizer !== undefined && { tokenizer: { tokenizer, config } }),
      });
      return { model: keep(model), wasmBytes: wasm.byteLength };
    } finally {
      built.close();
    }
  };
  return {
    open,
    openDense: async (path, signal) => {
      if (existsSync(join(path, MANIFEST_FILE))) return keep(await load(path, { signal }));
      return (await open({ input: path, route: 'sequential', signal })).model;
    },
    close: () => {
      for (const model of models) model.dispose();
    },
  };
}
