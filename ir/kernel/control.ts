/**
 * @file The state that drives a program: which token is where, and what the KV cache holds. Buffers like any other,
 * planned and printed with the rest; this file says what is in them.
 *
 * `$ids`, `$pos` [chunk]: token ids and positions of the chunk in flight. `$sequence` [chunk], only in programs for several
 * sequences: which one each of these tokens belongs to; written by the caller. `$rows` [chunk]: the row list of the body that
 * runs now. `$slot` [chunk]: the slot of each row's entry in the list of the attention block that runs now (for a fill:
 * of the entry that it fills in).
 *
 * `$probes` [chunk, 3 · (last block + 1)], only in programs with probes: what each block wrote last for each row, see the
 * op `probe`. `$kv_probes` [chunk, 15 · (last block + 1)], only where probes report on KV lists: three norms for each of
 * {@link kvReports}.
 *
 * `$walk` [chunk, maxHops + 1]: the blocks that each token executes, in order, then {@link WALK_END}. Written by the
 * caller; where it has written {@link WALK_DECIDE}, the routers decide, and the program writes what they decided. `$next`, `$hop` [chunk]: the block that a token waits for ({@link WALK_END}: the exit), and its place in the
 * walk. `$passed` [chunk]: the row list of a fill. `$latest` [chunk, 2]: list and slot of the entry that a row wrote in
 * its most recent executed attention block, -1 before the first (prefill). `$log` [maxHops, 3]: block, list and slot of
 * each attention block that the token has executed, in order (decode).
 *
 * `$router` [chunk, columns], only in programs with gates or a hub: their scores. `$level` [1]: what a gate's score must
 * exceed, see {@link gateLevel}, or the ratio that an oracle wants; written by the caller before the first pass. `$before`
 * [1, hidden], only in programs with an oracle: the hidden state before the block that it looks at. Where blocks score the
 * gate behind them on their way out: `$partial` [chunk, 8], what they leave for it, and `$scored` [chunk], the block whose gate that is.
 *
 * `$probability` [chunk], only where routers weigh: by what the block that a token is at scales its branch.
 *
 * Where several sequences are stepped together: `$queue` [last block + 1, 2], the rows that wait for each block and how many
 * rounds they have; `$deciding` [chunk], the row list of a hub.
 *
 * `$kv_table` [lists, pagesPerList]: pages of each list. `$kv_length` [lists]: entries. `$kv_tail` [lists, 2]: position of
 * the token that owns the last entry (-1: none), and 1 where that entry was filled in, 0 where it was executed.
 * `$kv_used` [1]: pages handed out. All four hold one sequence after the other. `$scores` [1, entries]: attention scores of
 * one head.
 */
import { kvReports } from '../ops/model.ts';
import type { BlockId, Task } from '../types.ts';
import { askedOracle, isWeighted } from '../routers.ts';
import type { RoutedGraph } from '../routers.ts';
import { PANEL } from './types.ts';
import type { Buffer, BufferName, KernelProgram, KvPlan, View } from './types.ts';

/** Ends a walk in `$walk`, and stands for the exit in `$next`. */
export const WALK_END = 0x7fff_ffff;
/** Leaves a hop of `$walk` to the routers. */
export const WALK_DECIDE = -1;

/** Buffers by which the caller and the program talk: `$x` is the hidden state, `$logits` what the exit makes. */
export const IDS = '$ids';
export const POSITIONS = '$pos';
export const PIXELS = '$pixels';
export const HIDDEN = '$x';
export const LOGITS = '$logits';
export const WALK = '$walk';
export const HOPS = '$hop';
export const SEQUENCE = '$sequence';
export const SCORES = '$router';
export const LEVEL = '$level';
export const BEFORE = '$before';
export const PARTIAL = '$partial';
/** Two products, in four lanes each. */
export const PARTIAL_COLUMNS = 8;
export const PROBABILITY = '$probability';
export const PROBES = '$probes';
/** Columns of `$probes` that a block has. */
export const PROBE_COLUMNS = 3;
export const KV_PROBES = '$kv_probes';
/** Columns of `$kv_probes` that a block has. */
export const KV_PROBE_COLUMNS = kvReports.length * PROBE_COLUMNS;

function array(name: BufferName, rows: Buffer['rows'], columns = 1): Buffer {
  return { name, dtype: 'i32', rows, columns, scope: 'state', at: null };
}

function floats(name: BufferName, rows: Buffer['rows'], columns: number): Buffer {
  return { name, dtype: 'f32', rows, columns, scope: 'state', at: null };
}

/** What of a program its control buffers depend on. */
type Controlled = Pick<KernelProgram, 'routing' | 'sequences'> & {
  readonly blocks: readonly { readonly id: BlockId }[];
};

/** Control buffers of the walk: only programs that need a walk have them. */
export function walkBuffers({ routing, sequences, blocks }: Controlled): readonly Buffer[] {
  const { maxHops } = routing;
  const queues = [array('$queue', (blocks.at(-1)?.id ?? 0) + 1, 2), array('$deciding', 'chunk')];
  const latest = routing.kv === 'latest' ? [array('$latest', 'chunk', 2), array('$log', maxHops, 3)] : [];
  const passed = routing.kv === 'absent' ? [] : [array('$passed', 'chunk')];
  const walk = [array(WALK, 'chunk', maxHops + 1), array('$next', 'chunk'), array(HOPS, 'chunk'), ...passed, ...latest];
  return sequences === 1 ? walk : [...walk, ...queues];
}

/** Buffers of gates and hub, with `scores` for each token, and of an oracle. */
export function routerBuffers(
  graph: RoutedGraph & { readonly hub?: unknown },
  columns: { readonly scores: number; readonly hidden: number },
): readonly Buffer[] {
  if (askedOracle(graph) !== undefined) return [floats(LEVEL, 1, 1), floats(BEFORE, 1, columns.hidden)];
  const { blocks, hub } = graph;
  const gates = blocks.some(({ gate }) => gate !== undefined) ? [floats(LEVEL, 1, 1)] : [];
  return gates.length === 0 && hub === undefined ? [] : [...gates, floats(SCORES, 'chunk', columns.scores)];
}

/** What bodies of blocks read where routers weigh. */
export const probabilityView: View = { buffer: PROBABILITY, from: 0, columns: 1, routed: true };

/** Buffers of what routers weigh with. */
export function weightingBuffers(graph: Parameters<typeof isWeighted>[0]): readonly Buffer[] {
  return isWeighted(graph) ? [floats(PROBABILITY, 'chunk', 1)] : [];
}

/** Buffers of scores that blocks prepare. */
export function scoredBuffers(): readonly Buffer[] {
  return [floats(PARTIAL, 'chunk', PARTIAL_COLUMNS), array('$scored', 'chunk')];
}

/** Control buffers of every program. */
export function rowBuffers({ sequences }: Pick<KernelProgram, 'sequences'>): readonly Buffer[] {
  const rows = [array(IDS, 'chunk'), array(POSITIONS, 'chunk'), array('$rows', 'chunk')];
  return sequences === 1 ? rows : [...rows, array(SEQUENCE, 'chunk')];
}

/** Columns of the buffers that hold what the model computes; `pixels` where it takes images. */
export interface DataColumns {
  readonly hidden: number;
  readonly logits: number;
  readonly pixels: number;
}

/** Which probes there are: of what blocks do to the hidden state, and of KV lists. */
export interface ProbesThere {
  readonly ofBlocks: boolean;
  readonly ofLists: boolean;
}

/** Where the model's numbers lie between bodies: the image, what probes report, hidden state, logits. */
export function dataBuffers(
  { task, blocks }: { readonly task: Task; readonly blocks: readonly { readonly id: BlockId }[] },
  probes: ProbesThere,
  columns: DataColumns,
): readonly Buffer[] {
  const isImage = task === 'image-classification';
  const lastBlock = blocks.at(-1)?.id ?? -1;
  return [
    ...(isImage ? [floats(PIXELS, 1, columns.pixels)] : []),
    ...(probes.ofBlocks ? [floats(PROBES, 'chunk', PROBE_COLUMNS * (lastBlock + 1))] : []),
    ...(probes.ofLists ? [floats(KV_PROBES, 'chunk', KV_PROBE_COLUMNS * (lastBlock + 1))] : []),
    floats(HIDDEN, 'chunk', columns.hidden),
    floats(LOGITS, isImage ? 1 : 'head', columns.logits),
  ];
}

/** Control buffers of the KV cache. */
export function kvBuffers(plan: KvPlan, { sequences }: Pick<KernelProgram, 'sequences'>): readonly Buffer[] {
  const lists = sequences * plan.lists;
  const entries = Math.ceil(plan.entriesPerList / plan.slots) * plan.slots;
  return [
    array('$slot', 'chunk'),
    array('$kv_table', lists, plan.pagesPerList),
    array('$kv_length', lists),
    array('$kv_tail', lists, 2),
    array('$kv_used', sequences),
    floats('$scores', 1, Math.max(entries, PANEL)),
  ];
}
