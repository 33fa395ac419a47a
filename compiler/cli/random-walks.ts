/** @file Random walks through a program's graph, for `verify`. */
import type { EdgeInfo, RoutingInfo } from '../../runtime/artifact/index.ts';
import type { Walk } from '../../runtime/index.ts';

export interface WalkRules {
  /** Goes to later blocks only, as far as the graph lets it. Otherwise blocks may come again, in any order. */
  readonly forward: boolean;
}

/**
 * Draws walks that follow the successor lists, so that each is valid: to the exit, or to the hop cap. A walk that has
 * twice as many hops as there are blocks takes the next exit.
 * @param random - whole numbers, as from `createRandom`
 */
export function walkDrawer(routing: RoutingInfo, random: () => number): (rules: WalkRules) => Walk {
  const { entry, blocks, maxHops } = routing;
  const edges = new Map(blocks.map((block) => [block.id, block]));
  const enough = 2 * blocks.length;
  const pick = (successors: EdgeInfo['successors']): number | 'exit' =>
    successors[random() % successors.length] ?? 'exit';
  return ({ forward }) => {
    const walk: number[] = [];
    for (let edge: EdgeInfo | undefined = entry; edge !== undefined && walk.length < maxHops;) {
      if (walk.length >= enough && edge.successors.includes('exit')) break;
      const from = walk.at(-1) ?? -1;
      const later = edge.successors.filter((next) => next === 'exit' || next > from);
      const next = pick(forward && later.length > 0 ? later : edge.successors);
      if (next === 'exit') break;
      walk.push(next);
      edge = edges.get(next);
    }
    return walk;
  };
}
