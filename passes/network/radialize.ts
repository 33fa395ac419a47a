/**
 * @file Turns the chain of blocks into conditional edges, on which the caller's route decides (option `route`: external).
 *
 *     block ^0 … -> ^1          block ^0 … -> external [^1, ^0, ^2, exit]
 *     block ^1 … -> ^2     =>   block ^1 … -> external [^2, ^0, ^1, exit]
 *     block ^2 … -> exit        block ^2 … -> external [exit, ^0, ^1, ^2]
 *
 * The first successor is the next block, so that a token without a route goes the sequential way; any block may follow,
 * the same one too, or the exit. In a network for images edges lead forward only, as they do where an oracle is asked
 * (`route: oracle_input`, `oracle_output`). `route: sequential` makes the chain again. Gates and hub go, since no edge asks
 * them, and with them `weighting: probability`: without routers each block adds all of its branch. The options kv, revisit
 * and maxHops are written to the routing; hop caps left out are twice the number of blocks for a route from outside, the
 * number of blocks for the chain. Without options nothing changes.
 */
import { MAX_HOPS, MAX_SUCCESSORS, fail, hopsKnown } from '../../ir/index.ts';
import type { Edge, Network, Routing, Successor } from '../../ir/index.ts';
import type { NetworkPass, PassOptions } from '../pass.ts';

export const radialize: NetworkPass = {
  name: 'radialize',
  summary: 'Turn the chain of blocks into conditional edges, as the route option says.',
  stage: 'network',
  run: (network, { options }) => withEdges(withRouting(network, options), options.route),
};

function withRouting(network: Network, options: PassOptions): Network {
  const { routing } = network;
  const { kv = routing.kv, revisit = routing.revisit, maxHops = defaultHops(network, options.route) } = options;
  if (!Number.isSafeInteger(maxHops) || maxHops < 1 || maxHops > MAX_HOPS) {
    fail('RC0606', `the hop cap is ${maxHops}, expected a whole number from 1 to ${MAX_HOPS}`, {
      help: 'leave --max-hops out for the default',
    });
  }
  checkHub(network, maxHops, options.route);
  const next: Routing = { ...routing, kv, revisit, maxHops };
  const same = kv === routing.kv && revisit === routing.revisit && maxHops === routing.maxHops;
  return same ? network : { ...network, routing: next };
}

/** A hub that stays must know all hops. */
function checkHub(network: Network, maxHops: number, route: PassOptions['route']): void {
  const known = hopsKnown(network);
  if (route !== undefined || maxHops <= known) return;
  fail('RC0606', `the hop cap is ${maxHops}, the hub of this model knows ${known} hops`, {
    help: `give --max-hops of at most ${known}, or leave it out`,
  });
}

function defaultHops({ blocks, routing }: Network, route: PassOptions['route']): number {
  if (route === undefined) return routing.maxHops;
  return Math.min(Math.max(route === 'external' ? 2 * blocks.length : blocks.length, 1), MAX_HOPS);
}

function withEdges(network: Network, route: PassOptions['route']): Network {
  if (route === undefined) return network;
  const ids = network.blocks.map(({ id }) => id);
  if (route !== 'sequential') checkCount(network);
  // Of the entry, then of each block: what comes next is at the same index.
  const edges = [-1, ...ids].map((_, i): Edge => {
    const next: Successor = ids[i] ?? 'exit';
    if (route === 'sequential') return { router: null, successors: [next] };
    const anywhere = route === 'external' && network.task === 'causal-lm';
    const allowed: readonly Successor[] = anywhere ? ids : ids.slice(i);
    const successors = [...new Set<Successor>([next, ...allowed, 'exit'])];
    return { router: successors.length === 1 ? null : { kind: route }, successors };
  });
  const [first, ...rest] = edges;
  if (first === undefined || [network.entry, ...network.blocks].every(({ edge }, i) => sameEdge(edge, edges[i]))) {
    return network;
  }
  const { hub: _hub, ...others } = network;
  const { weighting: _weighting, ...routing } = network.routing;
  const blocks = network.blocks.map(({ gate: _gate, ...block }, i) => ({ ...block, edge: rest[i] ?? block.edge }));
  return { ...others, routing, entry: { ...network.entry, edge: first }, blocks };
}

/** Refuses a route with so many successors that the program could not be read again. */
function checkCount({ task, blocks }: Network): void {
  const places = blocks.length + 1;
  const count = task === 'causal-lm' ? places ** 2 : (places * (places + 1)) / 2;
  if (count <= MAX_SUCCESSORS) return;
  fail(
    'RC0609',
    `a route through ${blocks.length} blocks has ${count} successors, at most ${MAX_SUCCESSORS} are possible`,
    {
      help: 'compile with --route sequential, or from a text whose edges name fewer',
    },
  );
}

function sameEdge(a: Edge, b: Edge | undefined): boolean {
  return a.router?.kind === b?.router?.kind && a.successors.join() === b?.successors.join();
}
