/**
 * @file The reference interpreter: the meaning of a network, of routing and of the KV policies.
 *
 * **Walk.** A token starts at the entry and takes edges. With one successor the edge is taken; with a router the token's
 * walk, a list of block ids, says which successor is next, and `exit` when the walk has ended. Without a walk the router
 * decides: `external` for the first successor; `gate` for the first in the list that is open (no gate, or a score above
 * the threshold); `hub` for the one with the highest score, of equal ones the first in the list; an oracle for the first
 * whose residual ratio is not below the threshold, as if the token executed it now, which leaves no trace. From gates and
 * hub, tokens at positions before `anchors` take first successors. A token that has executed `maxHops` blocks goes to `exit`.
 *
 * **Weighting.** A residual sum is x + p · f. Under weighting `none` p is 1. Under `probability` it belongs to the edge by
 * which the token comes to the block, whoever chose it, router, walk or anchor:
 * - `gate`: the sigmoid of the score of the block's gate, whatever the threshold; 1 for a block without a gate;
 * - `hub`: the block's share in the softmax of the hub's scores of the edge's successors;
 * - other edges: 1.
 * So a token that is led along its recorded walk has the same logits as when it was recorded.
 *
 * **Order.** In a causal network a token goes through all its blocks before the next token starts. Otherwise (images)
 * edges lead forward only and each block runs once, for all tokens that are there.
 *
 * **Passing over.** A token that takes an edge from block i to block j > i passes over the blocks between (the entry
 * stands before all blocks, the exit after all); an edge backwards or to the same block passes over none. At an attention
 * block l that it passes over and has not executed it leaves, under KV policy
 * - `absent`: nothing;
 * - `project`: the k and v that block l makes of the token's hidden state on that edge;
 * - `latest`: a copy of the k and v that it wrote most recently at an executed attention block before l; nothing if none.
 *
 * **Attention.** A row looks at the entries of its block's list (see `kv.ts`) of earlier tokens and its own, in an image
 * at those of all tokens. Positions are those of the tokens in the sequence, whatever was skipped.
 */
import type { Block, BlockId, Edge, Network, Op, OracleKind, Successor } from '../types.ts';
import type { WeightSource } from '../weights.ts';
import { DEFAULT_THRESHOLD, gateLevel, hubColumn, oracleKind } from '../routers.ts';
import { createConstants } from './constants.ts';
import type { Surroundings } from './evaluate.ts';
import { attendTo, entriesOf, writeExecuted, writeFilled } from './kv.ts';
import type { Entry, KvCache } from './kv.ts';
import { branchOutput, copyOf, only, runRegion } from './region.ts';
import type { RegionRun } from './region.ts';
import { setRow } from './layout.ts';
import { gatherRows, rowOf, rowsOf, tensor } from './tensor.ts';
import type { Tensor } from './tensor.ts';

export type Walk = readonly BlockId[];

/** One token's execution of one block. `x`: what enters; `f`: the branch, not weighted; `out`: what leaves. */
export interface BlockEvent {
  readonly block: BlockId;
  readonly position: number;
  readonly x: Float32Array;
  readonly f: Float32Array;
  readonly out: Float32Array;
}

/** What a token leaves in the KV list of a block, whether it executes the block or passes it over. */
export interface KvEvent {
  readonly block: BlockId;
  readonly position: number;
  readonly k: Float32Array;
  readonly v: Float32Array;
}

export interface RunOptions {
  /** A walk for each token; for tokens without one the routers decide. */
  readonly walks?: readonly (Walk | undefined)[];
  /** Instead of the network's. */
  readonly threshold?: number | undefined;
  readonly onBlock?: (event: BlockEvent) => void;
  readonly onKv?: (event: KvEvent) => void;
  /** The hidden state that leaves the entry. */
  readonly onEntry?: (position: number, x: Float32Array) => void;
}

export interface RunResult {
  /** Of each position in a language model; one vector for an image. */
  readonly logits: readonly Float32Array[];
  /** The blocks that each token executed, in order; its length is the token's depth. */
  readonly paths: readonly (readonly BlockId[])[];
}

export interface Interpreter {
  /** A sequence of token ids from position 0, with an empty KV cache. */
  runTokens(ids: readonly number[], options?: RunOptions): RunResult;
  /** An image as [channels, height, width]. */
  runImage(pixels: Float32Array, options?: RunOptions): RunResult;
}

interface Machine {
  readonly network: Network;
  readonly constant: RegionRun['constant'];
  readonly source: WeightSource;
  readonly cache: KvCache;
  readonly options: RunOptions;
}

/** The network must have been verified; ids and walks must be in range. */
export function createInterpreter(network: Network, source: WeightSource): Interpreter {
  const constant = createConstants(network.consts, source);
  const machine = (options: RunOptions): Machine => ({ network, constant, source, cache: new Map(), options });
  return {
    runTokens: (ids, options = {}) => {
      const state = machine(options);
      const rows = ids.map((id, position) => runToken(state, id, position));
      return { logits: rows.map(({ logits }) => logits), paths: rows.map(({ path }) => path) };
    },
    runImage: (pixels, options = {}) => runImage(machine(options), pixels),
  };
}

function runToken(machine: Machine, id: number, position: number): { logits: Float32Array; path: BlockId[] } {
  const { network, options } = machine;
  const pos = tensor([1], Int32Array.of(position));
  let x = only(runRegion(at(machine, network.entry, [tensor([1], Int32Array.of(id)), pos]), [network.entry.result]));
  options.onEntry?.(position, Float32Array.from(x.data));
  const walk = options.walks?.[position];
  const path: BlockId[] = [];
  let from: BlockId | 'entry' = 'entry';
  for (;;) {
    const token = { x, position, hops: path.length, walk };
    const to = nextStop(machine, from, token);
    for (const block of between(network, from, to)) fill(machine, block, x, position, path);
    if (to === 'exit') break;
    x = execute(machine, blockOf(network, to), x, [{ position, probability: probabilityOf(machine, from, to, token) }]);
    path.push(to);
    from = to;
  }
  const logits = only(runRegion(at(machine, network.exit, [x]), [network.exit.result]));
  return { logits: Float32Array.from(logits.data), path };
}

/** A token on its way. */
interface Traveller {
  /** Its hidden state, one row. */
  readonly x: Tensor;
  readonly position: number;
  /** Blocks that it has executed. */
  readonly hops: number;
  readonly walk: Walk | undefined;
}

/** Where the token goes next. */
function nextStop(machine: Machine, from: BlockId | 'entry', token: Traveller): Successor {
  const { network } = machine;
  const { hops, walk, position } = token;
  if (hops >= network.routing.maxHops) return 'exit';
  const { router, successors } = edgeOf(network, from);
  const [first = 'exit'] = successors;
  if (router === null) return first;
  if (walk !== undefined) {
    const chosen = walk[hops] ?? 'exit';
    if (!successors.includes(chosen)) throw new Error(`internal: no edge from ${from} to ${chosen}`);
    return chosen;
  }
  const oracle = oracleKind(router);
  if (oracle !== undefined) return successors.find((each) => !isSmall(machine, each, oracle, token)) ?? 'exit';
  if (router.kind === 'external' || position < (network.routing.anchors ?? 0)) return first;
  if (router.kind === 'gate') return successors.find((next) => isOpen(machine, next, token.x)) ?? 'exit';
  return highest(machine, successors, token);
}

/** Undefined where there is no gate. */
function gateScore(machine: Machine, next: Successor, x: Tensor): number | undefined {
  const gate = next === 'exit' ? undefined : blockOf(machine.network, next).gate;
  if (gate === undefined) return undefined;
  return only(runRegion(at(machine, gate, [x]), [gate.result])).data[0] ?? NaN;
}

function isOpen(machine: Machine, next: Successor, x: Tensor): boolean {
  const score = gateScore(machine, next, x);
  const { threshold = machine.network.routing.threshold } = machine.options;
  return score === undefined || score > gateLevel({ ...(threshold !== undefined && { threshold }) });
}

/** What an oracle says of a block. A ratio that is no number is not small. */
function isSmall(machine: Machine, next: Successor, kind: OracleKind, { x, position }: Traveller): boolean {
  if (next === 'exit') return false;
  const { threshold = machine.network.routing.threshold ?? DEFAULT_THRESHOLD } = machine.options;
  const cache: KvCache = new Map([[next, [...entriesOf(machine.cache, next)]]]);
  let ratio = NaN;
  const onBlock = ({ x: before, f }: BlockEvent): void => {
    const sum = before.map((value, i) => value + (f[i] ?? NaN));
    ratio = Math.hypot(...f) / Math.hypot(...(kind === 'oracle_input' ? before : sum));
  };
  execute({ ...machine, cache, options: { onBlock } }, blockOf(machine.network, next), x, [
    { position, probability: 1 },
  ]);
  return ratio < threshold;
}

function hubScores(machine: Machine, { x, hops }: Traveller): (next: Successor) => number {
  const { hub } = machine.network;
  if (hub === undefined) throw new Error('internal: no hub');
  const { data } = only(runRegion(at(machine, hub, [x, tensor([1], Int32Array.of(hops))]), [hub.result]));
  return (next) => data[hubColumn(next, data.length)] ?? NaN;
}

function highest(machine: Machine, successors: readonly Successor[], token: Traveller): Successor {
  const scoreOf = hubScores(machine, token);
  return successors.reduce((best, next) => (scoreOf(next) > scoreOf(best) ? next : best));
}

/** p of the edge to a block, see above. */
function probabilityOf(machine: Machine, from: BlockId | 'entry', to: BlockId, token: Traveller): number {
  const { router, successors } = edgeOf(machine.network, from);
  if (machine.network.routing.weighting !== 'probability') return 1;
  if (router?.kind === 'gate') return 1 / (1 + Math.exp(-(gateScore(machine, to, token.x) ?? Infinity)));
  if (router?.kind !== 'hub') return 1;
  const scoreOf = hubScores(machine, token);
  return 1 / successors.reduce<number>((sum, next) => sum + Math.exp(scoreOf(next) - scoreOf(to)), 0);
}

/** Attention blocks that the edge passes over. */
function between(network: Network, from: BlockId | 'entry', to: Successor): readonly Block[] {
  const low = from === 'entry' ? -1 : from;
  const high = to === 'exit' ? Infinity : to;
  return network.blocks.filter(({ id, role }) => role === 'attention' && id > low && id < high);
}

/** What a token leaves at an attention block that it passes over, see above. */
function fill(machine: Machine, block: Block, x: Tensor, position: number, path: readonly BlockId[]): void {
  const { network, cache } = machine;
  if (network.routing.kv === 'project') {
    const [k, v] = projected(machine, block, x, [position]);
    writeFilled(entriesOf(cache, block.id), { position, k: k.data, v: v.data });
    tellKv(machine, block, { position, k: k.data, v: v.data });
  } else if (network.routing.kv === 'latest') {
    const source = path.findLast((id) => id < block.id && blockOf(network, id).role === 'attention');
    const entry = source === undefined ? undefined : entriesOf(cache, source).findLast((e) => e.position === position);
    if (entry === undefined) return;
    writeFilled(entriesOf(cache, block.id), { position, k: entry.k, v: entry.v });
    tellKv(machine, block, entry);
  }
}

function tellKv({ options }: Machine, { id }: Block, { position, k, v }: Omit<Entry, 'filled'>): void {
  options.onKv?.({ block: id, position, k: Float32Array.from(k), v: Float32Array.from(v) });
}

/** The k and v that an attention block makes of x. */
function projected(machine: Machine, block: Block, x: Tensor, positions: readonly number[]): [Tensor, Tensor] {
  const { operands } = attentionOf(block);
  const [, k, v] = operands;
  if (k === undefined || v === undefined) throw new Error(`internal: attention without k and v in block ^${block.id}`);
  const [kValue, vValue] = runRegion(at(machine, block.body, [x, positionTensor(positions)]), [k, v]);
  if (kValue === undefined || vValue === undefined) throw new Error('internal: no k or v');
  return [kValue, vValue];
}

/** A row that comes to a block. */
interface Arrival {
  readonly position: number;
  /** By which its branch is scaled. */
  readonly probability: number;
}

/** Runs a block's body on rows; in a causal network there is one. */
function execute(machine: Machine, block: Block, x: Tensor, arrivals: readonly Arrival[]): Tensor {
  const { network, cache, options } = machine;
  const positions = arrivals.map(({ position }) => position);
  let context: Tensor | undefined;
  const attend: Surroundings['attend'] = (q, k, v, attrs) => {
    const entries = entriesOf(cache, block.id);
    positions.forEach((position, r) => {
      const entry = { position, k: rowOf(k, r), v: rowOf(v, r) };
      writeExecuted(entries, entry, network.routing.revisit);
      tellKv(machine, block, entry);
    });
    entries.sort((a, b) => a.position - b.position);
    context = attendTo(q, entries, attrs);
    return context;
  };
  const run: RegionRun = {
    ...at(machine, block.body, [x, positionTensor(positions)]),
    around: { source: machine.source, attend, probability: (r) => arrivals[r]?.probability ?? NaN },
  };
  const out = only(runRegion(run, [block.body.result]));
  if (options.onBlock !== undefined) {
    const again = { ...run, around: { ...run.around, attend: (): Tensor => context ?? out } };
    const f = branchOutput(again, block);
    positions.forEach((position, r) => {
      options.onBlock?.({ block: block.id, position, x: copyRow(x, r), f: copyRow(f, r), out: copyRow(out, r) });
    });
  }
  return out;
}

/** Where a token of an image goes next, and by what its branch is scaled there. */
interface Stop {
  readonly to: Successor;
  readonly probability: number;
}

function runImage(machine: Machine, pixels: Float32Array): RunResult {
  const { network, options } = machine;
  const shape = network.entry.params[0]?.type.shape.map(Number) ?? [];
  const x = copyOf(only(runRegion(at(machine, network.entry, [tensor(shape, pixels)]), [network.entry.result])));
  const tokens = Array.from({ length: rowsOf(x) }, (_, t) => t);
  tokens.forEach((t) => options.onEntry?.(t, copyRow(x, t)));
  const paths: BlockId[][] = tokens.map(() => []);
  const next = (from: BlockId | 'entry', t: number): Stop => {
    const token = { x: gatherRows(x, [t]), position: t, hops: paths[t]?.length ?? 0, walk: options.walks?.[t] };
    const to = nextStop(machine, from, token);
    return { to, probability: to === 'exit' ? 1 : probabilityOf(machine, from, to, token) };
  };
  const stops = tokens.map((t) => next('entry', t));
  for (const block of network.blocks) {
    const here = tokens.filter((t) => stops[t]?.to === block.id);
    if (block.role === 'attention') {
      const passing = tokens.filter((t) => !here.includes(t));
      passing.forEach((t) => {
        fill(machine, block, gatherRows(x, [t]), t, paths[t] ?? []);
      });
    }
    if (here.length === 0) continue;
    const arrivals = here.map((position) => ({ position, probability: stops[position]?.probability ?? NaN }));
    const out = execute(machine, block, gatherRows(x, here), arrivals);
    here.forEach((t, r) => {
      setRow(x, t, rowOf(out, r));
      paths[t]?.push(block.id);
      stops[t] = next(block.id, t);
    });
  }
  const logits = only(runRegion(at(machine, network.exit, [x]), [network.exit.result]));
  return { logits: [Float32Array.from(logits.data)], paths };
}

function at(machine: Machine, region: RegionRun['region'], args: readonly Tensor[]): RegionRun {
  const attend = (): never => {
    throw new Error('internal: attention outside a block');
  };
  return { region, args, constant: machine.constant, around: { source: machine.source, attend } };
}

function attentionOf(block: Block): Op {
  const op = block.body.ops.find(({ kind }) => kind === 'attention');
  if (op === undefined) throw new Error(`internal: block ^${block.id} has no attention`);
  return op;
}

function edgeOf(network: Network, from: BlockId | 'entry'): Edge {
  return from === 'entry' ? network.entry.edge : blockOf(network, from).edge;
}

function blockOf(network: Network, id: BlockId): Block {
  const block = network.blocks.find((candidate) => candidate.id === id);
  if (block === undefined) throw new Error(`internal: no block ^${id}`);
  return block;
}

function positionTensor(positions: readonly number[]): Tensor {
  return tensor([positions.length], Int32Array.from(positions));
}

function copyRow(x: Tensor, r: number): Float32Array {
  return Float32Array.from(rowOf(x, r));
}
