/** @file The optimisation levels: which passes run, in which order. */
import { fail } from '../ir/index.ts';
import { lower } from './kernel/lower.ts';
import type { Pass } from './pass.ts';
import { kernelPasses, networkPasses } from './table.ts';
import type { KernelPassName, NetworkPassName } from './table.ts';

/** Network passes, `lower`, kernel passes. */
export interface Pipeline {
  readonly summary: string;
  readonly network: readonly NetworkPassName[];
  readonly kernel: readonly KernelPassName[];
}

export const pipelines = {
  O0: {
    summary: 'What has to be: edges as asked for, kernels, memory.',
    network: ['quantize', 'radialize', 'fold-constants', 'insert-probes', 'insert-kv-probes'],
    kernel: ['plan-kv-cache', 'plan-memory'],
  },
  O1: {
    summary: 'Nothing twice and nothing unused; each op still its own kernel.',
    network: [
      'quantize',
      'canonicalise',
      'fold-constants',
      'cse',
      'dce',
      'radialize',
      'prune-unreachable',
      'fold-single-successor',
      'insert-probes',
      'insert-kv-probes',
      'dce',
    ],
    kernel: ['plan-kv-cache', 'plan-memory'],
  },
  O2: {
    summary: 'Few large kernels.',
    network: [
      'quantize',
      'canonicalise',
      'fold-constants',
      'cse',
      'dce',
      'radialize',
      'prune-unreachable',
      'fold-single-successor',
      'insert-probes',
      'insert-kv-probes',
      'fuse-qkv',
      'canonicalise',
      'fuse-norm',
      'fuse-epilogue',
      'dce',
    ],
    kernel: ['fuse-router', 'form-traces', 'plan-kv-cache', 'plan-memory'],
  },
} as const satisfies Record<string, Pipeline>;

export type OptimisationLevel = keyof typeof pipelines;

/** The passes of a level. */
export function pipelinePasses(level: OptimisationLevel): readonly Pass[] {
  const { network, kernel } = pipelines[level];
  return [...network.map((name) => networkPasses[name]), lower, ...kernel.map((name) => kernelPasses[name])];
}

/**
 * The level that `-O2` or `O2` names.
 * @throws RadialError RC0605
 */
export function levelNamed(text: string): OptimisationLevel {
  const name = text.replace(/^-/, '');
  if (isLevel(name)) return name;
  return fail('RC0605', `there is no optimisation level ${JSON.stringify(text)}`, {
    help: `the levels are ${Object.keys(pipelines).join(', ')}`,
  });
}

function isLevel(name: string): name is OptimisationLevel {
  return Object.hasOwn(pipelines, name);
}
