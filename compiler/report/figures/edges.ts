/** @file Which edges of a graph are drawn: the default ones, and those with traffic. */
import type { Graph, Traffic } from '../../routing/index.ts';

export type Node = number | 'entry' | 'exit';

export interface DrawnEdge {
  readonly from: Node;
  readonly to: Node;
  /** Of all tokens; more than 1 where they take it more than once. */
  readonly share: number;
}

export interface Drawing {
  readonly edges: readonly DrawnEdge[];
  /** Edges with too little traffic. */
  readonly hidden: number;
  /** Their share of all hops. */
  readonly hiddenShare: number;
  /** That the graph allows and no token took, without the default ones. */
  readonly unused: number;
}

/** Edges that carry less are left out, unless they are default ones. */
const LEAST_SHARE = 0.005;
const MOST = 90;

export function drawingOf({ entry, blocks }: Graph, { edges, tokens }: Traffic): Drawing {
  const lists = new Map<Node, readonly Node[]>([
    ['entry', entry],
    ...blocks.map(({ id, successors }) => [id, successors] as const),
  ]);
  const taken = edges
    .filter(({ from }) => lists.has(from))
    .map(({ from, to, tokens: count }): DrawnEdge => ({ from, to, share: count / tokens }));
  const isDefault = ({ from, to }: DrawnEdge): boolean => lists.get(from)?.[0] === to;
  const isTaken = (from: Node, to: Node): boolean => taken.some((edge) => edge.from === from && edge.to === to);
  const idle = [...lists].flatMap(([from, [to]]): readonly DrawnEdge[] =>
    to === undefined || isTaken(from, to) ? [] : [{ from, to, share: 0 }],
  );
  const ranked = taken.filter((edge) => !isDefault(edge)).toSorted((a, b) => b.share - a.share);
  const kept = new Set(ranked.slice(0, MOST).filter(({ share }) => share >= LEAST_SHARE));
  const hidden = ranked.filter((edge) => !kept.has(edge));
  const sum = (list: readonly DrawnEdge[]): number => list.reduce((total, { share }) => total + share, 0);
  const allowed = [...lists.values()].reduce((total, { length }) => total + length, 0);
  return {
    edges: [...taken.filter((edge) => isDefault(edge) || kept.has(edge)), ...idle],
    hidden: hidden.length,
    hiddenShare: sum(hidden) / sum(taken),
    unused: Math.max(0, allowed - taken.length - idle.length),
  };
}
