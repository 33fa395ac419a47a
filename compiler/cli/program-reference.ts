/** @file The reference interpreter for a program: the network that it was compiled from, with the program's edges. */
import { fail } from '../../ir/index.ts';
import type { ProgramInfo } from '../../runtime/artifact/index.ts';
import { readCheckpointConfig } from '../frontend/index.ts';
import { isArtifact } from './model.ts';
import type { BuildOptions } from './options.ts';
import { openReference } from './reference.ts';
import type { Reference } from './reference.ts';

/**
 * The checkpoint's network with the routing of the program; the caller closes it.
 * @throws RadialError RC1007 when it is another network, and what a checkpoint or a text can be refused for
 */
export async function openReferenceOf(
  info: ProgramInfo,
  checkpoint: string,
  { weights }: Pick<BuildOptions, 'weights'> = {},
): Promise<Reference> {
  const given = weights === undefined ? {} : { weights };
  if (info.family !== 'rir' && isCheckpoint(checkpoint)) {
    const found = readCheckpointConfig(checkpoint).family;
    if (found !== info.family) {
      mismatch(checkpoint, `the program was compiled from a ${info.family} model, the checkpoint is ${found}`);
    }
  }
  const reference = await openReference(checkpoint, {
    ...given,
    ...(!isArtifact(checkpoint) && referenceOptions(info, checkpoint)),
  });
  if (!checkpoint.endsWith('.rir') || hasEdgesOf(reference, info)) return checked(reference, info, checkpoint);
  // The text was compiled with a route that replaced its edges.
  reference.close();
  const options = { ...given, ...referenceOptions(info, checkpoint), route: routeOf(info) };
  return checked(await openReference(checkpoint, options), info, checkpoint);
}

/** The edges of a text are its own, as long as they are those of the program. */
function referenceOptions(info: ProgramInfo, checkpoint: string): BuildOptions {
  const { routing, shapes, task, dtype } = info;
  return {
    dtype,
    ...(!checkpoint.endsWith('.rir') && { route: routeOf(info) }),
    kv: routing.kv,
    revisit: routing.revisit,
    maxHops: routing.maxHops,
    ...(task === 'causal-lm' && { contextWindowSize: shapes.context }),
  };
}

function routeOf(info: ProgramInfo): NonNullable<BuildOptions['route']> {
  if (info.routing.decides !== null) return 'learned';
  return isRouted(info) ? 'external' : 'sequential';
}

/** Whether tokens of the program can be given routes. */
export function isRouted({ routing }: ProgramInfo): boolean {
  return [routing.entry, ...routing.blocks].some(({ router }) => router !== null);
}

/** Whether the network allows every walk of the program, and has the same default. */
function hasEdgesOf({ network }: Reference, { routing }: ProgramInfo): boolean {
  const edges = new Map(network.blocks.map(({ id, edge }) => [id, edge]));
  return [
    { found: network.entry.edge, wanted: routing.entry },
    ...routing.blocks.map((block) => ({ found: edges.get(block.id), wanted: block })),
  ].every(
    ({ found, wanted }) =>
      found?.successors[0] === wanted.successors[0] &&
      wanted.successors.every((successor) => found?.successors.includes(successor)),
  );
}

/** The reference itself, unless its network is another one than that of the program. */
function checked(reference: Reference, { task, shapes, routing }: ProgramInfo, checkpoint: string): Reference {
  const { network } = reference;
  const roles = new Map(network.blocks.map(({ id, role }) => [id, role]));
  const other = routing.blocks.find(({ id, role }) => roles.get(id) !== role);
  if (network.task === task && network.context === shapes.context && other === undefined) return reference;
  reference.close();
  return mismatch(
    checkpoint,
    other === undefined || network.task !== task
      ? `the program is ${task} with ${shapes.context} positions, the checkpoint ${network.task} with ${network.context}`
      : `block ${other.id} of the program is ${other.role}, in the checkpoint ${roles.get(other.id) ?? 'there is none'}`,
  );
}

function mismatch(checkpoint: string, message: string): never {
  return fail('RC1007', message, {
    place: { file: checkpoint },
    help: 'name the checkpoint that the program was compiled from',
  });
}

function isCheckpoint(path: string): boolean {
  return !isArtifact(path) && !path.endsWith('.rir');
}
