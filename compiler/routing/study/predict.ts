/**
 * @file What a token costs by the cost model: the blocks of its walk, k and v that policy `project` computes where a block is
 * passed over, the entry and the head; where the router decides, its decisions too.
 */
import { constsByName } from '../../../ir/index.ts';
import type { Block, Network, Ref, Region, Routing } from '../../../ir/index.ts';
import { costOf } from '../../../passes/index.ts';
import type { RegionCost } from '../../../passes/index.ts';
import type { Walk } from '../../../runtime/index.ts';
import { createKvLists } from './kv-lists.ts';
import type { KvRules } from './kv-lists.ts';
import type { Predicted } from './study.ts';

/** Flops and bytes of a block: at no entry, and for each entry that it looks at. */
interface BlockModel {
  readonly flops: number;
  readonly flopsPerEntry: number;
  readonly bytes: number;
  /** What it takes to project k and v alone. */
  readonly projecting: Predicted;
}

export interface CostModel {
  readonly rules: KvRules;
  readonly entryBytes: number;
  readonly ends: Predicted;
  readonly blocks: ReadonlyMap<number, BlockModel>;
  /** Of all gates: each is asked once a token. */
  readonly gates: Predicted;
  /** Of one decision. */
  readonly hub: Predicted;
  /** At the cap a hub is not asked, and before that position no router is. */
  readonly routing: Pick<Routing, 'maxHops' | 'anchors'>;
}

/** @param network - before its operations are fused @param entryBytes - of a KV entry */
export function costModel(network: Network, rules: KvRules, entryBytes: number): CostModel {
  const [one, two] = [1, 2].map((cached) => costOf(network, { rows: 1, cached }));
  const projecting = costOf({ ...network, blocks: network.blocks.map(projection) }).blocks;
  const blocks = new Map<number, BlockModel>();
  network.blocks.forEach(({ id }, i) => {
    const [low, high, project] = [one?.blocks[i], two?.blocks[i], projecting[i]];
    if (low === undefined || high === undefined || project === undefined) return;
    const flopsPerEntry = high.flops - low.flops;
    blocks.set(id, {
      flops: low.flops - flopsPerEntry,
      flopsPerEntry,
      bytes: low.weightBytes,
      projecting: { flops: project.flops, bytes: project.weightBytes },
    });
  });
  const { entry, exit, hub, blocks: all } = one ?? costOf(network);
  return {
    rules,
    entryBytes,
    ends: { flops: entry.flops + exit.flops, bytes: entryBytesOf(network, entry) + exit.weightBytes },
    blocks,
    gates: sumOf(all.map(({ gate }) => gate)),
    hub: sumOf([hub]),
    routing: network.routing,
  };
}

function sumOf(regions: readonly (RegionCost | null)[]): Predicted {
  const sum = (of: (region: RegionCost) => number): number =>
    regions.reduce((all, region) => all + (region === null ? 0 : of(region)), 0);
  return { flops: sum((region) => region.flops), bytes: sum((region) => region.weightBytes) };
}

/** Of its tables a token reads one row. */
function entryBytesOf(network: Network, { weightBytes }: RegionCost): number {
  const consts = constsByName(network);
  const tables = network.entry.ops.filter(({ kind }) => kind === 'embed').map(({ operands }) => operands[1]);
  return tables.reduce((sum, name) => {
    const [rows = 1, width = 0] =
      (name === undefined ? undefined : consts.get(name as `@${string}`))?.type.shape.map(Number) ?? [];
    return sum - 4 * (rows - 1) * width;
  }, weightBytes);
}

/** The block with only what k and v need. */
function projection(block: Block): Block {
  const { body } = block;
  const attention = body.ops.find(({ kind }) => kind === 'attention');
  const needed = new Set<Ref>(attention?.operands.slice(1));
  const ops: Region['ops'][number][] = [];
  for (const op of body.ops.toReversed()) {
    if (!needed.has(op.result)) continue;
    ops.unshift(op);
    for (const ref of [...op.operands, ...Object.values(op.extras)]) needed.add(ref);
  }
  return { ...block, body: { ...body, ops } };
}

interface SequenceCost extends Predicted {
  /** KV entries that are left. */
  readonly entries: number;
  readonly tokens: number;
}

/** Sums over the tokens of a sequence that begins with an empty KV cache. */
function costOfWalks(
  { rules, entryBytes, ends, blocks, gates, hub, routing: { maxHops, anchors = 0 } }: CostModel,
  walks: readonly Walk[],
  decided: boolean,
): SequenceCost {
  const step = createKvLists(rules);
  let [flops, bytes, entries] = [0, 0, 0];
  for (const [position, walk] of walks.entries()) {
    const { seen, projected, entries: left } = step(walk);
    const asks = decided && position >= anchors;
    const decisions = Math.min(walk.length + 1, maxHops);
    flops += ends.flops + (asks ? gates.flops + decisions * hub.flops : 0);
    bytes += ends.bytes + (asks ? gates.bytes + decisions * hub.bytes : 0);
    entries += left;
    walk.forEach((id, hop) => {
      const block = blocks.get(id);
      const looksAt = seen[hop] ?? 0;
      flops += (block?.flops ?? 0) + looksAt * (block?.flopsPerEntry ?? 0);
      bytes += (block?.bytes ?? 0) + looksAt * entryBytes;
    });
    for (const id of projected) {
      const { flops: more = 0, bytes: read = 0 } = blocks.get(id)?.projecting ?? {};
      flops += more;
      bytes += read;
    }
  }
  return { flops, bytes, entries, tokens: walks.length };
}

/**
 * Means over the tokens of several sequences.
 * @param decided - whether the network's router chose the walks as they were made; it does no work where they are replayed
 */
export function predictedOf(
  model: CostModel,
  sequences: readonly (readonly Walk[])[],
  decided: boolean,
): Predicted & { readonly kvEntries: number } {
  const sums = sequences.map((walks) => costOfWalks(model, walks, decided));
  const total = (of: (sum: SequenceCost) => number): number => sums.reduce((all, sum) => all + of(sum), 0);
  const tokens = total((sum) => sum.tokens);
  return {
    flops: total(({ flops }) => flops) / tokens,
    bytes: total(({ bytes }) => bytes) / tokens,
    kvEntries: total(({ entries }) => entries) / tokens,
  };
}
