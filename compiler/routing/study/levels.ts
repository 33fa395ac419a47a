/** @file What the passes of each level make of a model: its graph, its operations, its kernels. */
import type { KernelProgram, Network } from '../../../ir/index.ts';
import { kvBytesOf, pipelinePasses, pipelines, runPasses } from '../../../passes/index.ts';
import type { Module, OptimisationLevel, PassOptions } from '../../../passes/index.ts';
import { findTarget } from '../../targets.ts';
import type { Graph, LevelTable, PassRow } from './study.ts';

export interface Level {
  readonly table: LevelTable;
  /** What was lowered. */
  readonly network: Network;
  readonly program: KernelProgram;
}

export function levelsOf(input: Network, options: PassOptions): readonly Level[] {
  const levels = Object.keys(pipelines) as OptimisationLevel[];
  return levels.map((level) => levelOf(level, input, { ...options, extraBuffers: findTarget().target.buffers }));
}

function levelOf(level: OptimisationLevel, input: Network, options: PassOptions): Level {
  const rows: PassRow[] = [];
  let [network, module]: readonly [Network, Module] = [input, input];
  for (const pass of pipelinePasses(level)) {
    const { module: next, reports } = runPasses(module, [pass], { options });
    const kv = kvBytesOf(next, { options });
    rows.push(
      ...reports.map(({ name, changed, before, after }) => ({
        name,
        changed,
        before: before.ops,
        after: after.ops,
        kv,
      })),
    );
    module = next;
    if (module.stage === 'network') network = module;
  }
  if (module.stage !== 'kernel') throw new Error('internal: a level that does not lower');
  return {
    network,
    program: module,
    table: { level, passes: rows, ...countKernels(module), graph: graphOf(network) },
  };
}

function countKernels({ bodies, entry, blocks, exit }: KernelProgram) {
  const sizes = new Map(bodies.map(({ name, kernels }) => [name, kernels.length]));
  return {
    blocks: blocks.length,
    bodies: bodies.length,
    kernels: bodies.reduce((sum, { kernels, fill }) => sum + kernels.length + fill.length, 0),
    kernelsPerToken: [entry, ...blocks, exit].reduce((sum, { body }) => sum + (sizes.get(body) ?? 0), 0),
  };
}

function graphOf({ entry, blocks }: Network): Graph {
  const kinds = [entry, ...blocks].map(({ edge }) => edge.router?.kind ?? null);
  return {
    router: kinds.find((kind) => kind !== null) ?? null,
    entry: entry.edge.successors,
    blocks: blocks.map(({ id, role, body, gate, edge }) => ({
      id,
      role,
      ops: body.ops.length,
      gated: gate !== undefined,
      successors: edge.successors,
    })),
  };
}
