/**
 * @file Random valid networks, small and runnable: their weights come from `random` constants.
 *
 * They differ in everything that a network can differ in: norms and their place, activations, gates, rotary or learned
 * positions, grouped heads, what is fused, useless work, names, edges, policies. The same seed gives the same network.
 */
import fc from 'fast-check';
import { RegionBuilder } from '../../ir/builder.ts';
import { f32, i32 } from '../../ir/ops/spec.ts';
import type { Block, BlockId, Edge, Local, Network, Param, Region, Successor, Task } from '../../ir/types.ts';
import { Draw } from './draw.ts';
import { drawDesign, RegionWriter, renamed } from './random-regions.ts';
import type { Design } from './random-regions.ts';
import { oddName, RandomWeights } from './random-weights.ts';

/** What is fixed; the rest is drawn. */
export interface RandomOptions {
  readonly task?: Task;
  /** False: every block leads to the next. True: edges have routers; each list begins with the next block. */
  readonly routed?: boolean;
  /** Some routers are gates or ask a hub; drawn if not given and `routed` is not false. */
  readonly learned?: boolean;
  readonly kv?: Network['routing']['kv'];
  readonly revisit?: Network['routing']['revisit'];
  /** Most blocks; 6 if not given. */
  readonly maxBlocks?: number;
  /** Some edges without a router jump over blocks, so that blocks may not be reachable. Not done if not given. */
  readonly jumps?: boolean;
  /** False: only plain names, and no gaps in block numbers. */
  readonly oddNames?: boolean;
  /** How likely useless work is inserted; drawn if not given. */
  readonly noise?: number;
}

/** A valid network; `seed` is a whole number. */
export function randomNetwork(seed: number, options: RandomOptions = {}): Network {
  const draw = new Draw(seed);
  const task = options.task ?? (draw.chance(0.2) ? 'image-classification' : 'causal-lm');
  const odd = options.oddNames === false || draw.chance(0.7) ? 0 : 0.3;
  const weights = new RandomWeights(draw, odd);
  const noise = options.noise ?? draw.pick([0, 0.3]);
  const image = drawImage(draw);
  const context = task === 'causal-lm' ? draw.int(6, 16) : image.context;
  const kv = options.kv ?? draw.pick(['absent', 'project', 'latest']);
  // K and V that move from block to block have to fit everywhere.
  const sameHeads = kv === 'latest' || draw.chance(0.5);
  const design = drawDesign(draw, weights, { context, causal: task === 'causal-lm', noise, sameHeads });
  const ids = blockIds(draw, draw.int(1, options.maxBlocks ?? 6), odd > 0);
  const edges = drawEdges(draw, ids, task, options);
  const maxHops = draw.pick([ids.length, ids.length + 1, 2 * ids.length, ids.length + 5]);
  const rename = renamer(draw, odd);
  const entry = task === 'causal-lm' ? textEntry(design, draw.int(5, 40)) : imageEntry(design, image);
  const bodies = ids.map((_, i) => body(design, i % 2 === 0 ? 'attention' : 'mlp'));
  const learned = options.learned ?? (options.routed !== false && draw.chance(0.5));
  const routers = learned
    ? drawRouters(design, { task, ids, edges, maxHops })
    : { edges, gates: new Map<BlockId, Region>() };
  if (draw.chance(noise)) weights.unused();
  const exitRegion = exit(design, task);
  return {
    stage: 'network',
    name: oddName(draw, 0, odd) === 'w0' ? `random-${seed}` : `random ${seed}\n`,
    task,
    context,
    routing: {
      kv,
      revisit: options.revisit ?? draw.pick(['overwrite', 'append']),
      maxHops,
      ...routers.knobs,
    },
    consts: weights.list(),
    entry: { ...renamed(entry, rename), edge: routers.edges[0] ?? { router: null, successors: ['exit'] } },
    ...(routers.hub && { hub: renamed(routers.hub, rename) }),
    blocks: bodies.map((region, i): Block => {
      const gate = routers.gates.get(ids[i] ?? 0);
      return {
        id: ids[i] ?? 0,
        role: i % 2 === 0 ? 'attention' : 'mlp',
        ...(gate && { gate: renamed(gate, rename) }),
        body: renamed(region, rename),
        edge: routers.edges[i + 1] ?? { router: null, successors: ['exit'] },
      };
    }),
    exit: renamed(exitRegion, rename),
  };
}

/** Random networks for properties; a counterexample is shown as its seed. */
export function networkArbitrary(options: RandomOptions = {}): fc.Arbitrary<Network> {
  return fc.noShrink(fc.nat()).map((seed) => {
    const toString = { value: () => `randomNetwork(${seed}, ${JSON.stringify(options)})`, enumerable: false };
    return Object.defineProperty(randomNetwork(seed, options), fc.toStringMethod, toString);
  });
}

interface ImageShape {
  readonly channels: number;
  readonly size: number;
  readonly rows: number;
  readonly columns: number;
  readonly hasClassRow: boolean;
  readonly context: number;
}

function drawImage(draw: Draw): ImageShape {
  const [rows, columns, hasClassRow] = [draw.int(1, 3), draw.int(1, 3), draw.chance(0.7)];
  return {
    channels: draw.int(1, 3),
    size: draw.int(1, 3),
    rows,
    columns,
    hasClassRow,
    context: rows * columns + (hasClassRow ? 1 : 0),
  };
}

/** Ascending; with gaps, as passes leave them. */
function blockIds(draw: Draw, count: number, hasGaps: boolean): readonly BlockId[] {
  let id = hasGaps ? draw.int(0, 3) : 0;
  return Array.from({ length: count }, () => {
    const current = id;
    id += hasGaps ? draw.int(1, 3) : 1;
    return current;
  });
}

/** The edges of entry and of each block. */
function drawEdges(draw: Draw, ids: readonly BlockId[], task: Task, options: RandomOptions): readonly Edge[] {
  const routed = options.routed ?? draw.chance(0.5);
  const places: readonly Successor[] = [...ids, 'exit'];
  return places.map((next, i): Edge => {
    const later = places.slice(i);
    if (!routed) {
      const jump = options.jumps === true && draw.chance(0.3);
      return { router: null, successors: [jump ? (later[draw.int(0, later.length - 1)] ?? next) : next] };
    }
    if (draw.chance(0.2)) return { router: draw.chance(0.5) ? { kind: 'external' } : null, successors: [next] };
    const candidates = task === 'causal-lm' ? places : later;
    const density = draw.pick([0.2, 0.6, 1]);
    const others = candidates.filter((place) => place !== next && draw.chance(density));
    return { router: { kind: 'external' }, successors: [next, ...others] };
  });
}

/** Edges of which some decide by themselves, and what they ask. */
interface Routers {
  readonly edges: readonly Edge[];
  readonly gates: ReadonlyMap<BlockId, Region>;
  readonly hub?: Region;
  readonly knobs?: Partial<Network['routing']>;
}

interface Plain {
  readonly task: Task;
  readonly ids: readonly BlockId[];
  readonly edges: readonly Edge[];
  readonly maxHops: number;
}

/** Makes gates or a hub of some of the edges with routers, and of some without. Where they weigh, no way leads around a gate. */
function drawRouters(design: Design, { task, ids, edges, maxHops }: Plain): Routers {
  const { draw } = design;
  const gated = new Set<Successor>(ids.filter(() => draw.chance(0.6)));
  // In images, and often elsewhere, gates lead forward; otherwise anywhere, as long as no way goes round.
  const order = draw.chance(0.3) && task === 'causal-lm' ? draw.shuffled(ids) : ids;
  const behind = new Map(
    order.map((id, i) => {
      const later: readonly Successor[] = [...order.slice(i + 1), 'exit'];
      return [id, later[draw.chance(0.7) ? 0 : draw.int(0, later.length - 1)] ?? 'exit'] as const;
    }),
  );
  const listFrom = (first: Successor): readonly Successor[] => {
    const list = [first];
    for (let last = first; last !== 'exit' && gated.has(last); list.push(last)) last = behind.get(last) ?? 'exit';
    return list;
  };
  const weighs = draw.chance(0.5);
  const hasHub = task === 'causal-lm' && draw.chance(0.5);
  const changed = edges.map((edge): Edge => {
    const [first = 'exit'] = edge.successors;
    const mustAsk = weighs && edge.successors.some((next) => gated.has(next));
    if (mustAsk || draw.chance(0.5)) return { router: { kind: 'gate' }, successors: listFrom(first) };
    return hasHub && edge.router !== null ? { ...edge, router: { kind: 'hub' } } : edge;
  });
  const asked = new Set(
    changed.filter(({ router }) => router?.kind === 'gate').flatMap(({ successors }) => successors),
  );
  const gates = new Map(
    ids.filter((id) => gated.has(id) && (asked.has(id) || draw.chance(0.3))).map((id) => [id, gate(design)]),
  );
  return {
    edges: changed,
    gates,
    ...(hasHub && { hub: hub(design, (ids.at(-1) ?? -1) + 2 + draw.int(0, 2), maxHops) }),
    knobs: {
      ...(draw.chance(0.5) && { threshold: draw.pick([0, 0.3, 0.5, 0.75, 1]) }),
      ...(draw.chance(0.3) && { anchors: draw.int(0, 3) }),
      ...(weighs ? { weighting: 'probability' } : draw.chance(0.1) && { weighting: 'none' }),
    },
  };
}

function gate(design: Design): Region {
  const { draw, hidden } = design;
  const writer = start(design, [{ name: '%x', type: f32('tokens', hidden) }]);
  const inner = draw.chance(0.5) ? writer.linear('%x', 5, { act: 'relu', norm: draw.chance(0.5) }) : '%x';
  return writer.region.finish(writer.linear(inner, 1));
}

/** A hub that knows how many hops the token has made, or not. */
function hub(design: Design, columns: number, maxHops: number): Region {
  const { draw, hidden, weights } = design;
  const writer = start(design, [
    { name: '%x', type: f32('tokens', hidden) },
    { name: '%hops', type: i32('tokens') },
  ]);
  let inner = writer.linear('%x', 6, { norm: true });
  if (draw.chance(0.6)) {
    const hop = writer.region.op('embed', ['%hops', weights.matrix(maxHops, 6)], { attrs: { offset: 0 } });
    inner = writer.region.op('add', [inner, hop]);
  }
  return writer.region.finish(writer.linear(writer.region.op('relu', [inner]), columns));
}

function renamer(draw: Draw, odd: number): (name: Local) => Local {
  if (odd === 0) return (name) => name;
  // Sigils and numbers stay, so that names remain distinct.
  return (name) => (draw.chance(odd) ? `%${oddName(draw, 0, 1)} ${name}` : name);
}

function start(design: Design, params: readonly Param[]): RegionWriter {
  return new RegionWriter(design, new RegionBuilder(params, design.weights.type));
}

function textEntry(design: Design, vocabulary: number): Region {
  const { draw, weights, hidden, context, rope } = design;
  const writer = start(design, [
    { name: '%ids', type: i32('tokens') },
    { name: '%pos', type: i32('tokens') },
  ]);
  const width = draw.chance(0.2) ? 6 : hidden;
  let x = writer.region.op('embed', ['%ids', weights.matrix(vocabulary, width)], { attrs: { offset: 0 } });
  if (width !== hidden) x = writer.linear(x, hidden);
  if (!rope) {
    const offset = draw.pick([0, 2]);
    const position = writer.region.op('embed', ['%pos', weights.matrix(context + offset, hidden)], {
      attrs: { offset },
    });
    x = writer.region.op('add', [x, position]);
  }
  return writer.region.finish(writer.noisy(x));
}

function imageEntry(design: Design, image: ImageShape): Region {
  const { weights, hidden, context } = design;
  const { channels, size, rows, columns, hasClassRow } = image;
  const writer = start(design, [{ name: '%pixels', type: f32(channels, rows * size, columns * size) }]);
  let x = writer.linear(writer.region.op('patchify', ['%pixels'], { attrs: { size } }), hidden);
  if (hasClassRow) x = writer.region.op('prepend', [x, weights.vector(hidden, 0)]);
  return writer.region.finish(writer.region.op('add', [x, weights.matrix(context, hidden)]));
}

function body(design: Design, role: Block['role']): Region {
  const writer = start(design, [
    { name: '%x', type: f32('tokens', design.hidden) },
    { name: '%pos', type: i32('tokens') },
  ]);
  const result =
    role === 'attention' ? writer.attention(writer.noisy('%x'), '%pos', '%x') : writer.mlp(writer.noisy('%x'), '%x');
  return writer.region.finish(writer.noisy(result));
}

function exit(design: Design, task: Task): Region {
  const { draw } = design;
  const writer = start(design, [{ name: '%x', type: f32('tokens', design.hidden) }]);
  const labels = draw.int(2, 20);
  if (task === 'causal-lm') return writer.region.finish(writer.linear('%x', labels, { norm: draw.chance(0.8) }));
  const row = writer.region.op('select', [writer.norm('%x')], {
    attrs: { row: draw.pick([0, draw.int(0, design.context - 1)]) },
  });
  return writer.region.finish(writer.linear(row, labels, draw.chance(0.3) ? { act: 'tanh' } : {}));
}
