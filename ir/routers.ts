/** @file What routers ask of a graph, network and program alike. */
import type { BlockId, Edge, OracleKind, Router, Routing, Successor } from './types.ts';

/** A network or a program, as far as its routes go. */
export interface RoutedGraph {
  readonly entry: { readonly edge: Edge };
  readonly blocks: readonly { readonly id: BlockId; readonly edge: Edge; readonly gate?: unknown }[];
}

export const DEFAULT_THRESHOLD = 0.5;

/**
 * What a gate's score, a logit, must exceed for the gate to be open: ln(τ / (1 - τ)) as f32; infinite at the ends, where
 * all gates, or none, are open.
 */
export function gateLevel({ threshold = DEFAULT_THRESHOLD }: Pick<Routing, 'threshold'>): number {
  return Math.fround(Math.log(threshold / (1 - threshold)));
}

/** The column of a hub's scores that belongs to a successor; `columns` is their number. */
export function hubColumn(successor: Successor, columns: number): number {
  return successor === 'exit' ? columns - 1 : successor;
}

/** Columns that a hub has at least. */
export function hubColumns(blocks: RoutedGraph['blocks']): number {
  return (blocks.at(-1)?.id ?? -1) + 2;
}

function edgesOf({ entry, blocks }: RoutedGraph): readonly Edge[] {
  return [entry.edge, ...blocks.map(({ edge }) => edge)];
}

/** Blocks whose gates some edge asks, and whether some edge asks the hub. */
export function askedRouters(graph: RoutedGraph): { readonly gates: ReadonlySet<Successor>; readonly hub: boolean } {
  const edges = edgesOf(graph);
  const ofGates = edges.filter(({ router }) => router?.kind === 'gate');
  return {
    gates: new Set(ofGates.flatMap(({ successors }) => successors)),
    hub: edges.some(({ router }) => router?.kind === 'hub'),
  };
}

/** The kind of a router that is an oracle, otherwise undefined. */
export function oracleKind(router: Router | null | undefined): OracleKind | undefined {
  return router?.kind === 'oracle_input' || router?.kind === 'oracle_output' ? router.kind : undefined;
}

/** The oracle that edges ask: the same in all of them (an invariant of valid graphs). */
export function askedOracle(graph: RoutedGraph): OracleKind | undefined {
  return edgesOf(graph).flatMap(({ router }) => oracleKind(router) ?? [])[0];
}

/** True where some router decides by itself. */
export function hasLearnedRouters(graph: RoutedGraph): boolean {
  return edgesOf(graph).some(({ router }) => router !== null && router.kind !== 'external');
}

/** True where blocks add p · f, p being what a gate or the hub says, and not just f. */
export function isWeighted(graph: RoutedGraph & { readonly routing: Pick<Routing, 'weighting'> }): boolean {
  const { gates, hub } = askedRouters(graph);
  return graph.routing.weighting === 'probability' && (gates.size > 0 || hub);
}

/**
 * True where routers decide and prefill can follow them in one sweep over the blocks: all edges lead forward, from gate to
 * gate too, and neither a hub is asked nor an oracle, which must know what earlier tokens have left at a block.
 */
export function decidesInOneSweep(graph: RoutedGraph): boolean {
  const place = (successor: Successor): number => (successor === 'exit' ? Infinity : successor);
  const isAscending = ({ router, successors }: Edge): boolean =>
    router?.kind !== 'gate' || successors.every((next, i) => i === 0 || place(next) > place(successors[i - 1] ?? -1));
  return (
    hasLearnedRouters(graph) &&
    askedOracle(graph) === undefined &&
    edgesOf(graph).every((edge) => edge.router?.kind !== 'hub' && isAscending(edge)) &&
    graph.blocks.every(({ id, edge }) => edge.successors.every((next) => place(next) > id))
  );
}

/**
 * What a token tries next that finds a block's gate closed, or that an oracle keeps from the block: the successor behind it,
 * the same in all edges (an invariant of valid graphs). Undefined for blocks that no such edge names.
 */
export function behindGates(graph: RoutedGraph): ReadonlyMap<BlockId, Successor> {
  const behind = new Map<BlockId, Successor>();
  for (const { router, successors } of edgesOf(graph)) {
    if (router?.kind !== 'gate' && oracleKind(router) === undefined) continue;
    successors.forEach((successor, i) => {
      const next = successors[i + 1];
      if (successor !== 'exit' && next !== undefined) behind.set(successor, next);
    });
  }
  return behind;
}
