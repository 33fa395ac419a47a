/**
 * @file Makes a routed network of a sequential one: regions that score, and edges that ask them.
 *
 *     block ^1 mlp(…) { … } -> ^2      =>      gate ^2(%x: …) { … }
 *                                              block ^1 mlp(…) { … } -> gate [^2..^23, exit]
 *
 * Routers see the hidden state through an RMS norm without gain: gates score whether their block is worth executing, a hub
 * scores all blocks and the exit.
 */
import { f32, i32, RegionBuilder } from '../../../ir/index.ts';
import type { Const, Edge, Global, Network, Region, Successor, TensorType } from '../../../ir/index.ts';
import { resultType } from '../../../ir/index.ts';
import type { RadialConfig } from './radial-config.ts';
import { gateLayers, hubLayers } from './tensors.ts';
import type { RouterLayers, RouterLinear, RouterTensor } from './tensors.ts';

/** What the routers' norm adds to the mean square. */
const ROUTER_EPS = 1e-5;

/** The width of the hidden state. */
export function hiddenSize({ entry }: Network): number {
  return Number(resultType(entry)?.shape[1]);
}

/** The network with the routers of a config that fits it. */
export function attachRouters(network: Network, config: RadialConfig): Network {
  const width = hiddenSize(network);
  const consts = new RouterConsts(network.consts, width);
  const ids = network.blocks.map(({ id }) => id);
  const { kv, revisit, maxHops, threshold, anchors, weighting } = config;
  const isHub = config.router === 'hub';
  const routing = {
    kv,
    revisit,
    maxHops,
    ...(!isHub && { threshold }),
    anchors,
    ...(weighting !== 'none' && { weighting }),
  };
  const edgeAfter = (place: number): Edge => (isHub ? hubEdge(ids, place) : gateEdge(ids, place));
  const gated = new Set(isHub ? [] : config.gatedBlocks);
  const blocks = network.blocks.map((block, i) => ({
    ...block,
    ...(gated.has(block.id) && { gate: routerRegion(consts, gateLayers(config, block.id, width)) }),
    edge: edgeAfter(i),
  }));
  const hub = isHub ? { hub: routerRegion(consts, hubLayers(config, width), { hops: true }) } : {};
  return {
    ...network,
    routing,
    consts: consts.list(),
    entry: { ...network.entry, edge: edgeAfter(-1) },
    ...hub,
    blocks,
  };
}

/** To the next block, past it if its gate is closed, and so on; the list ends where no gate can be closed. */
function gateEdge(ids: readonly number[], place: number): Edge {
  const successors: readonly Successor[] = [...ids.slice(place + 1), 'exit'];
  return { router: successors.length === 1 ? null : { kind: 'gate' }, successors };
}

/** To any block or the exit; the next block is named first. */
function hubEdge(ids: readonly number[], place: number): Edge {
  const next: Successor = ids[place + 1] ?? 'exit';
  return { router: { kind: 'hub' }, successors: [...new Set<Successor>([next, ...ids, 'exit'])] };
}

function routerRegion(consts: RouterConsts, { up, hops, down }: RouterLayers, takes = { hops: false }): Region {
  const params = [
    { name: '%x' as const, type: f32('tokens', consts.width) },
    ...(takes.hops ? [{ name: '%hops' as const, type: i32('tokens') }] : []),
  ];
  const region = new RegionBuilder(params, (ref) => consts.type(ref));
  const linear = (x: `%${string}`, { weight, bias }: RouterLinear): `%${string}` =>
    region.op('linear', [x, consts.tensor(weight)], { extras: { bias: consts.tensor(bias) } });
  let x = region.op('rms_norm', ['%x', consts.ones()], { attrs: { eps: ROUTER_EPS } });
  if (up !== undefined) {
    x = linear(x, up);
    if (hops !== undefined) {
      x = region.op('add', [x, region.op('embed', ['%hops', consts.tensor(hops)], { attrs: { offset: 0 } })]);
    }
    x = region.op('relu', [x]);
  }
  return region.finish(linear(x, down));
}

/** The constants of the network and those that routers add. */
class RouterConsts {
  readonly width: number;
  readonly #consts: Map<Global, Const>;

  constructor(consts: readonly Const[], width: number) {
    this.width = width;
    this.#consts = new Map(consts.map((constant) => [constant.name, constant]));
  }

  tensor({ name, shape }: RouterTensor): Global {
    return this.#add({ name: `@${name}`, kind: 'tensor', operands: [], attrs: { name }, type: f32(...shape) });
  }

  ones(): Global {
    return this.#add({ name: '@router.ones', kind: 'full', operands: [], attrs: { value: 1 }, type: f32(this.width) });
  }

  type(ref: Global): TensorType {
    const found = this.#consts.get(ref);
    if (found === undefined) throw new Error(`internal: no constant ${ref}`);
    return found.type;
  }

  list(): readonly Const[] {
    return [...this.#consts.values()];
  }

  #add(constant: Const): Global {
    this.#consts.set(constant.name, constant);
    return constant.name;
  }
}
