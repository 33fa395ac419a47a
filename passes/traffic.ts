/** @file How often tokens took which edge of a program, as recorded: what profile-guided passes are told. */
import { fail } from '../ir/index.ts';
import type { BlockId, KernelProgram, Successor } from '../ir/index.ts';

export interface EdgeTraffic {
  readonly from: BlockId | 'entry';
  readonly to: Successor;
  readonly tokens: number;
}

export interface Traffic {
  /** Number of blocks of the program that was recorded. */
  readonly blocks: number;
  readonly edges: readonly EdgeTraffic[];
  /** Where it was read, for messages. */
  readonly file?: string;
}

/**
 * Tokens at the hop cap go to the exit from anywhere.
 * @throws RadialError RC0610 where the program has other blocks or edges than the recorded one
 */
export function checkTraffic({ entry, blocks }: KernelProgram, traffic: Traffic): void {
  const refuse = (message: string): never =>
    fail('RC0610', message, {
      ...(traffic.file !== undefined && { place: { file: traffic.file } }),
      help: 'record routes with a program that was compiled from this model, with the same edges',
    });
  if (traffic.blocks !== blocks.length) {
    refuse(`the routes are of a program with ${traffic.blocks} blocks, this one has ${blocks.length}`);
  }
  const successors = new Map<EdgeTraffic['from'], ReadonlySet<Successor>>([
    ['entry', new Set(entry.edge.successors)],
    ...blocks.map(({ id, edge }) => [id, new Set(edge.successors)] as const),
  ]);
  for (const { from, to } of traffic.edges) {
    const known = successors.get(from);
    if (known !== undefined && (to === 'exit' || known.has(to))) continue;
    refuse(`a recorded token goes from ${show(from)} to ${show(to)}, an edge that the program does not have`);
  }
}

function show(node: EdgeTraffic['from'] | Successor): string {
  return typeof node === 'number' ? `^${node}` : node;
}
