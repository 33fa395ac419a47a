/** @file Which edges and blocks tokens take, counted from their walks. */
import type { Walk } from '../../../runtime/index.ts';
import type { Traffic } from './study.ts';

/** @param ids - of all blocks, in order */
export function trafficOf(walks: readonly Walk[], ids: readonly number[]): Traffic {
  const edges = new Map<string, { readonly from: number | 'entry'; readonly to: number | 'exit'; tokens: number }>();
  const tokens = new Map<number, number>();
  const visits = new Map<number, number>();
  for (const walk of walks) {
    let from: number | 'entry' = 'entry';
    for (const to of [...walk, 'exit' as const]) {
      const key = `${from} ${to}`;
      const edge = edges.get(key) ?? { from, to, tokens: 0 };
      edge.tokens++;
      edges.set(key, edge);
      if (to === 'exit') break;
      visits.set(to, (visits.get(to) ?? 0) + 1);
      from = to;
    }
    for (const id of new Set(walk)) tokens.set(id, (tokens.get(id) ?? 0) + 1);
  }
  const place = (node: number | 'entry' | 'exit'): number =>
    node === 'entry' ? -1 : node === 'exit' ? Infinity : node;
  return {
    tokens: walks.length,
    edges: [...edges.values()].sort((a, b) => place(a.from) - place(b.from) || compare(place(a.to), place(b.to))),
    blocks: ids.map((id) => ({ id, tokens: tokens.get(id) ?? 0, visits: visits.get(id) ?? 0 })),
  };
}

/** Not a difference, which of two infinities is no number. */
function compare(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
