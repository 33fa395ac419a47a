/** @file All passes by name. */
import { fail, nearest } from '../ir/index.ts';
import { formTraces } from './kernel/form-traces.ts';
import { fuseRouter } from './kernel/fuse-router.ts';
import { lower } from './kernel/lower.ts';
import { planKvCache } from './kernel/plan-kv-cache.ts';
import { planMemory } from './kernel/plan-memory.ts';
import { canonicalise } from './network/canonicalise.ts';
import { cse } from './network/cse.ts';
import { dce } from './network/dce.ts';
import { foldConstants } from './network/fold-constants.ts';
import { foldSingleSuccessor } from './network/fold-single-successor.ts';
import { fuseEpilogue } from './network/fuse-epilogue.ts';
import { fuseNorm } from './network/fuse-norm.ts';
import { fuseQkv } from './network/fuse-qkv.ts';
import { insertKvProbes } from './network/insert-kv-probes.ts';
import { insertProbes } from './network/insert-probes.ts';
import { pruneUnreachable } from './network/prune-unreachable.ts';
import { quantize } from './network/quantize.ts';
import { radialize } from './network/radialize.ts';
import type { KernelPass, NetworkPass, Pass } from './pass.ts';

export const networkPasses = {
  quantize,
  canonicalise,
  'fold-constants': foldConstants,
  cse,
  dce,
  radialize,
  'prune-unreachable': pruneUnreachable,
  'fold-single-successor': foldSingleSuccessor,
  'insert-probes': insertProbes,
  'insert-kv-probes': insertKvProbes,
  'fuse-qkv': fuseQkv,
  'fuse-norm': fuseNorm,
  'fuse-epilogue': fuseEpilogue,
} satisfies Record<string, NetworkPass>;

export const kernelPasses = {
  'fuse-router': fuseRouter,
  'form-traces': formTraces,
  'plan-kv-cache': planKvCache,
  'plan-memory': planMemory,
} satisfies Record<string, KernelPass>;

export type NetworkPassName = keyof typeof networkPasses;
export type KernelPassName = keyof typeof kernelPasses;

/** In the order in which they usually run. */
export const allPasses: readonly Pass[] = [...Object.values(networkPasses), lower, ...Object.values(kernelPasses)];

/**
 * The passes of these names, in this order.
 * @throws RadialError RC0601 for a name that no pass has
 */
export function passesNamed(names: readonly string[]): readonly Pass[] {
  return names.map((name) => {
    const found = allPasses.find((pass) => pass.name === name);
    if (found !== undefined) return found;
    const known = allPasses.map((pass) => pass.name);
    const meant = nearest(name, known);
    const help = meant === undefined ? `the passes are ${known.join(', ')}` : `did you mean ${meant}?`;
    return fail('RC0601', `there is no pass ${JSON.stringify(name)}`, { help });
  });
}
