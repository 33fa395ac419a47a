/** @file How routes have collapsed, if they have: into few blocks, the hop cap, one block again and again, or positions. */

/** Shares are of 1. */
export interface Collapse {
  /** Mean hops of a token. */
  readonly hops: number;
  /** For each block the entropy of whether a token visits it, in bits: 0 where all or none do. */
  readonly entropy: readonly number[];
  /** The entropy of all hops over the blocks, as a share of what even use has. */
  readonly evenness: number;
  /** Tokens that the hop cap stopped. */
  readonly capped: number;
  /** Hops that stay at their block. */
  readonly selfLoops: number;
  /** Tokens whose route is the most common one, and the most common one of their position. */
  readonly sameRoute: number;
  readonly sameAtPosition: number;
}

export interface CollapseTally {
  /** A token's route. */
  add(position: number, path: readonly number[]): void;
  /** Share of the tokens that visit each block. */
  visits(): readonly number[];
  result(): Collapse;
}

export function createCollapseTally(blocks: number, maxHops: number): CollapseTally {
  const visited = new Array<number>(blocks).fill(0);
  const hops = new Array<number>(blocks).fill(0);
  const routes = new Map<string, number>();
  const byPosition = new Map<number, Map<string, number>>();
  let [tokens, capped, selfLoops] = [0, 0, 0];
  const visits = (): readonly number[] => visited.map((count) => count / tokens);
  return {
    add: (position, path) => {
      tokens++;
      if (path.length === maxHops) capped++;
      for (const block of new Set(path)) visited[block] = (visited[block] ?? 0) + 1;
      for (const [i, block] of path.entries()) {
        hops[block] = (hops[block] ?? 0) + 1;
        if (block === path[i - 1]) selfLoops++;
      }
      const route = path.join(' ');
      const here = byPosition.get(position) ?? new Map<string, number>();
      byPosition.set(position, here);
      for (const counts of [routes, here]) counts.set(route, (counts.get(route) ?? 0) + 1);
    },
    visits,
    result: () => {
      const all = hops.reduce((sum, count) => sum + count, 0);
      const most = (counts: ReadonlyMap<string, number>): number => Math.max(0, ...counts.values());
      const atPositions = [...byPosition.values()].reduce((sum, counts) => sum + most(counts), 0);
      return {
        hops: all / tokens,
        entropy: visits().map((share) => bits(share) + bits(1 - share)),
        evenness: hops.reduce((sum, count) => sum + bits(count / Math.max(1, all)), 0) / Math.log2(blocks),
        capped: capped / tokens,
        selfLoops: selfLoops / Math.max(1, all),
        sameRoute: most(routes) / tokens,
        sameAtPosition: atPositions / tokens,
      };
    },
  };
}

function bits(share: number): number {
  return share === 0 ? 0 : -share * Math.log2(share);
}
