/** @file Opens a model to look into: compiled in memory, with probes in its blocks. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fail } from '../../ir/diagnostics/diagnostic.ts';
import type { KvPolicy, OracleKind } from '../../ir/index.ts';
import { MANIFEST_FILE } from '../../runtime/artifact/index.ts';
import { createModel } from '../../runtime/index.ts';
import type { RadialModel } from '../../runtime/index.ts';
import { fillWeights } from '../artifact/index.ts';
import { build } from '../build.ts';
import type { Built } from '../build.ts';
import { openInput } from '../input.ts';
import { requireText } from './eval/subjects.ts';
import { modelHash } from './model-hash.ts';

export interface OpenModel {
  readonly model: RadialModel;
  readonly sha256: string;
  /** SHA-256 of the tokenizer's files; null where there are none. */
  readonly tokenizer: string | null;
  /** Whether its attention blocks report on their KV lists. */
  readonly hasKvProbes: boolean;
}

export interface OpenOptions {
  /** Most positions; default: what the model has. */
  readonly window?: number | undefined;
  /** Default: the sequential program. Otherwise an oracle decides, under this policy, where the caller gives no walk. */
  readonly oracle?: { readonly kind: OracleKind; readonly kv: KvPolicy } | undefined;
  /** Lets attention blocks report on their KV lists, where they can. */
  readonly kvProbes?: boolean | undefined;
  readonly signal: AbortSignal;
}

/** The caller disposes of the model. @throws RadialError RC1201, RC1221 (an oracle of images), what compilation can end with */
export async function openModel(path: string, { window, oracle, kvProbes, signal }: OpenOptions): Promise<OpenModel> {
  if (existsSync(join(path, MANIFEST_FILE))) noProbes(path);
  const sha256 = await hashOf(path, oracle !== undefined, signal);
  const built = await build({
    input: path,
    probes: true,
    kvProbes,
    context: window,
    // Ratios are those of the model itself: routers that it brings along are left out.
    route: oracle?.kind ?? (path.endsWith('.rir') ? undefined : 'sequential'),
    kv: oracle?.kv,
    signal,
  });
  try {
    const { info, wasm, program, source, tokenizer: files } = built;
    if (info.abi.probes === null) noProbes(path);
    const [tokenizer, config] = files.map(({ bytes }) => bytes);
    const model = await createModel({
      info,
      wasm,
      fillWeights: (into) => fillWeights(program, source, { into, signal }),
      ...(tokenizer !== undefined && { tokenizer: { tokenizer, config } }),
    });
    return { model, sha256, tokenizer: tokenizerHash(files), hasKvProbes: info.abi.kvProbes !== null };
  } finally {
    built.close();
  }
}

async function hashOf(path: string, ofText: boolean, signal: AbortSignal): Promise<string> {
  const input = openInput(path);
  try {
    if (ofText) requireText(path, input.module.task);
    return await modelHash(input, signal);
  } finally {
    input.close();
  }
}

function tokenizerHash(files: Built['tokenizer']): string | null {
  if (files.length === 0) return null;
  const hash = createHash('sha256');
  for (const { file, bytes } of files) hash.update(`${file} ${bytes.byteLength}\n`).update(bytes);
  return hash.digest('hex');
}

function noProbes(path: string): never {
  return fail('RC1201', 'the blocks of this program have no probes, and can be given none', {
    place: { file: path },
    help: 'name the checkpoint that it was compiled from',
  });
}
