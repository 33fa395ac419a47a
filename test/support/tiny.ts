/** @file A small language model in IR, with random constants, whose graph a test can shape. */
import { ConstBuilder, RegionBuilder } from '../../ir/builder.ts';
import type { Block, BlockId, Edge, Network, Routing, Successor, TensorType } from '../../ir/types.ts';

export interface TinyOptions {
  readonly layers?: number;
  readonly hidden?: number;
  readonly heads?: number;
  readonly kvHeads?: number;
  readonly vocab?: number;
  readonly context?: number;
  readonly routing?: Partial<Routing>;
  /** Any block may follow any block. */
  readonly routed?: boolean;
}

const row = (columns: number): TensorType => ({ dtype: 'f32', shape: ['tokens', columns] });
const positions: TensorType = { dtype: 'i32', shape: ['tokens'] };

/** Pre-norm, ReLU, 2 · layers blocks. */
export function tinyNetwork(options: TinyOptions = {}): Network {
  const { layers = 2, hidden = 16, heads = 2, kvHeads = heads, vocab = 24, context = 40, routed = false } = options;
  const consts = new ConstBuilder();
  let seed = 1;
  const random = (name: string, ...shape: number[]): `@${string}` =>
    consts.add(name, 'random', [], {
      attrs: { seed: seed++, mean: 0, std: shape.length === 1 ? 0.3 : 1.2 / Math.sqrt(shape.at(-1) ?? 1) },
      type: { dtype: 'f32', shape },
    });
  const globals = (ref: `@${string}`): TensorType => consts.type(ref);
  const blockCount = 2 * layers;
  const edge = (after: BlockId): Edge => edgeOf(after, blockCount, routed);

  const table = random('embed', vocab, hidden);
  const entry = new RegionBuilder(
    [
      { name: '%ids', type: positions },
      { name: '%pos', type: positions },
    ],
    globals,
  );
  const embedded = entry.op('embed', ['%ids', table], { attrs: { offset: 0 } });
  const placed = entry.op('embed', ['%pos', random('positions', context, hidden)], { attrs: { offset: 0 } });
  const entryRegion = entry.finish(entry.op('add', [embedded, placed]));

  const kvWidth = (hidden / heads) * kvHeads;
  const blocks = Array.from({ length: blockCount }, (_, id): Block => {
    const region = new RegionBuilder(
      [
        { name: '%x', type: row(hidden) },
        { name: '%pos', type: positions },
      ],
      globals,
    );
    const norm = region.op('layer_norm', ['%x', random(`b${id}.gain`, hidden), random(`b${id}.shift`, hidden)], {
      attrs: { eps: 1e-5 },
    });
    const project = (name: string, x: `%${string}`, out: number, inner: number): `%${string}` =>
      region.op('linear', [x, random(`b${id}.${name}.weight`, out, inner)], {
        extras: { bias: random(`b${id}.${name}.bias`, out) },
      });
    const branch =
      id % 2 === 0
        ? project(
            'out',
            region.op(
              'attention',
              [
                project('q', norm, hidden, hidden),
                project('k', norm, kvWidth, hidden),
                project('v', norm, kvWidth, hidden),
              ],
              {
                attrs: { heads, kv_heads: kvHeads, scale: 1 / Math.sqrt(hidden / heads), causal: true },
              },
            ),
            hidden,
            hidden,
          )
        : project('down', region.op('relu', [project('up', norm, 4 * hidden, hidden)]), hidden, 4 * hidden);
    return {
      id,
      role: id % 2 === 0 ? 'attention' : 'mlp',
      body: region.finish(region.op('residual', ['%x', branch])),
      edge: edge(id),
    };
  });

  const exit = new RegionBuilder([{ name: '%x', type: row(hidden) }], globals);
  const exitRegion = exit.finish(exit.op('linear', ['%x', table]));
  return {
    stage: 'network',
    name: 'tiny',
    task: 'causal-lm',
    context,
    routing: { kv: 'absent', revisit: 'overwrite', maxHops: routed ? 2 * blockCount : blockCount, ...options.routing },
    consts: consts.list(),
    entry: { ...entryRegion, edge: edge(-1) },
    blocks,
    exit: exitRegion,
  };
}

function edgeOf(after: BlockId, count: number, routed: boolean): Edge {
  const next: Successor = after + 1 < count ? after + 1 : 'exit';
  if (!routed) return { router: null, successors: [next] };
  const all: readonly Successor[] = [...Array.from({ length: count }, (_, id) => id), 'exit'];
  return { router: { kind: 'external' }, successors: [next, ...all.filter((id) => id !== next)] };
}

/** A source for networks that name no stored tensors. */
export const noWeights = { shape: () => undefined, read: () => new Float32Array(), names: () => [] };
