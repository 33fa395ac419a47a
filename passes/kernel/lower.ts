/**
 * @file Lowers the network to kernels over buffers.
 *
 *     block ^0 attention(%x, %positions) {           body #attention(@0: …) {
 *       %0 = layer_norm(%x, @gain, @shift)             $attention.0[0..64] = norm($x[routed, 0..64], @0, @1)
 *       %1 = linear(%0, @q)                     =>     $attention.1[0..64] = linear($attention.0[0..64], @2)
 *       …                                              …
 *       %7 = residual(%x, %6)                          $x[routed, 0..64] = binary($x[routed, 0..64], $attention.5[0..64])
 *       yield %7                                     }
 *     }                                              block ^0 = #attention(@gain, @shift, @q, …)
 *
 * A region becomes a body with its constants as formals; equal bodies are one. Slices of columns become views. Block and
 * exit reach the hidden state `$x` through the row list, the entry writes it straight.
 *
 * Where routers weigh, residual sums scale their branch by `$probability`, which control code writes before a block runs.
 *
 * Ops on constants only are refused: fold-constants moves them. Gates and a hub that no edge asks are left out.
 */
import {
  askedOracle,
  askedRouters,
  dataBuffers,
  fail,
  HIDDEN,
  HOPS,
  IDS,
  isWeighted,
  LOGITS,
  MAX_BUFFERS,
  MAX_KERNELS,
  needsWalk,
  PIXELS,
  POSITIONS,
  probabilityView,
  routerBuffers,
  rowBuffers,
  SCORES,
  walkBuffers,
  weightingBuffers,
} from '../../ir/index.ts';
import type { Body, Buffer, Instance, KernelProgram, Network } from '../../ir/index.ts';
import type { Lowering, PassOptions } from '../pass.ts';
import { columnsOf } from './code.ts';
import type { FinishedBody } from './frame.ts';
import { elementsOf, lowerRegion, yieldedType } from './lower-region.ts';
import type { Place } from './lower-region.ts';
import { WeightTable } from './weight-table.ts';

/** Tokens that prefill takes at a time, unless the caller says otherwise. */
const DEFAULT_CHUNK = 128;
/** Rows of logits that the exit makes at a time. */
const HEAD_ROWS = 16;
/** Kept for those that later passes and the target add. */
const RESERVED_BUFFERS = 32;

export const lower: Lowering = {
  name: 'lower',
  summary: 'Lower the network to kernels over buffers.',
  stage: 'lowering',
  run: (network, { options }) => lowerNetwork(network, options),
};

function lowerNetwork(network: Network, options: PassOptions): KernelProgram {
  const causal = network.task === 'causal-lm';
  const chunk = causal ? Math.min(network.context, chunkOption(options)) : network.context;
  const sequences = sequencesOption(options, causal && askedOracle(network) === undefined ? chunk : 1);
  const weights = new WeightTable(network);
  const bodies = new BodyTable(weights);
  const places = placesOf(network);
  const fills = network.routing.kv === 'project' && needsWalk(network);

  const entry = bodies.add('entry', lowerRegion(network, weights, network.entry, places.entry));
  const asked = askedRouters(network);
  const hubRegion = asked.hub ? network.hub : undefined;
  const hub = hubRegion && bodies.add('hub', lowerRegion(network, weights, hubRegion, places.hub));
  let lists = 0;
  const blocks = network.blocks.map(({ id, role, gate: region, body, edge }) => {
    const asks = region !== undefined && asked.gates.has(id);
    const gate = asks ? bodies.add('gate', lowerRegion(network, weights, region, places.gate)) : undefined;
    const attention = fills ? body.ops.find((op) => op.kind === 'attention') : undefined;
    const instance = bodies.add(role, lowerRegion(network, weights, body, places.block, attention));
    return { id, role, ...instance, list: role === 'attention' ? lists++ : null, ...(gate && { gate }), edge };
  });
  const exit = bodies.add('exit', lowerRegion(network, weights, network.exit, places.exit));
  const scores = hubRegion === undefined ? 1 : columnsOf(yieldedType(hubRegion));
  const buffers = [
    ...stateBuffers(network, sequences),
    ...routerBuffers(
      { ...(hub && { hub }), entry: network.entry, blocks },
      { scores, hidden: columnsOf(yieldedType(network.entry)) },
    ),
    ...weightingBuffers(network),
    ...bodies.buffers(),
  ];
  checkLimits(bodies.list(), buffers.length);

  return {
    stage: 'kernel',
    name: network.name,
    task: network.task,
    context: network.context,
    routing: network.routing,
    chunk,
    headRows: causal ? Math.min(HEAD_ROWS, chunk) : 1,
    sequences,
    consts: weights.consts(),
    weights: weights.list(),
    buffers,
    kv: null,
    memory: null,
    bodies: bodies.list(),
    entry: { ...entry, edge: network.entry.edge },
    ...(hub && { hub }),
    blocks,
    exit,
  };
}

function chunkOption({ chunk = DEFAULT_CHUNK }: PassOptions): number {
  if (Number.isSafeInteger(chunk) && chunk >= 1) return chunk;
  return fail('RC0608', `the chunk is ${chunk} tokens, expected a whole number of at least 1`, {
    help: `leave --chunk out for ${DEFAULT_CHUNK}`,
  });
}

function sequencesOption({ sequences = 1 }: PassOptions, most: number): number {
  if (Number.isSafeInteger(sequences) && sequences >= 1 && sequences <= most) return sequences;
  return fail('RC0612', `the program is to hold ${sequences} sequences, expected a whole number from 1 to ${most}`, {
    help: most === 1 ? 'leave --sequences out' : 'a larger --prefill-chunk-size, up to the context, allows more',
  });
}

/** Refuses what no later stage takes. */
function checkLimits(bodies: readonly Body[], buffers: number): void {
  const longest = bodies.reduce((most, { kernels, fill }) => Math.max(most, kernels.length + fill.length), 0);
  if (longest > MAX_KERNELS) {
    fail('RC0707', `a region becomes ${longest} kernels, at most ${MAX_KERNELS} are possible`, {
      help: 'divide the region among several blocks',
    });
  }
  if (buffers <= MAX_BUFFERS - RESERVED_BUFFERS) return;
  fail('RC0707', `the program needs ${buffers} buffers, at most ${MAX_BUFFERS - RESERVED_BUFFERS} are possible`, {
    help: 'blocks of equal shape share their buffers: give the network fewer shapes, or its regions fewer values',
  });
}

type Places = Readonly<Record<'entry' | 'hub' | 'gate' | 'block' | 'exit', Place>>;

/** The exit of an image sees all tokens and makes one row; that of a language model runs on a few tokens at a time. */
function placesOf(network: Network): Places {
  const causal = network.task === 'causal-lm';
  const exitRows: Buffer['rows'] = causal ? 'head' : 'chunk';
  const [logitRows = 1] = yieldedType(network.exit).shape;
  const hidden = { buffer: HIDDEN, rows: 'chunk' } as const;
  const scores = { buffer: SCORES, rows: 'chunk' } as const;
  return {
    entry: {
      params: causal ? [IDS, POSITIONS] : [PIXELS],
      home: hidden,
      routed: { params: false, home: false },
      tokenRows: 'chunk',
    },
    hub: { params: [HIDDEN, HOPS], home: scores, routed: { params: true, home: false }, tokenRows: 'chunk' },
    gate: { params: [HIDDEN], home: scores, routed: { params: true, home: false }, tokenRows: 'chunk' },
    block: {
      params: [HIDDEN, POSITIONS],
      home: hidden,
      routed: { params: true, home: true },
      tokenRows: 'chunk',
      probability: isWeighted(network) ? probabilityView : undefined,
    },
    exit: {
      params: [HIDDEN],
      home: { buffer: LOGITS, rows: logitRows === 'tokens' ? exitRows : logitRows },
      routed: { params: true, home: false },
      tokenRows: exitRows,
    },
  };
}

function stateBuffers(network: Network, sequences: number): readonly Buffer[] {
  const probes = network.blocks.flatMap(({ body }) => body.ops.filter(({ kind }) => kind === 'probe'));
  const ofBlocks = probes.some(({ attrs }) => attrs['of'] === undefined);
  const ofLists = probes.some(({ attrs }) => attrs['of'] !== undefined);
  const controlled = { ...network, sequences };
  return [
    ...rowBuffers(controlled),
    ...(needsWalk(network) ? walkBuffers(controlled) : []),
    ...dataBuffers(
      network,
      { ofBlocks, ofLists },
      {
        hidden: columnsOf(yieldedType(network.entry)),
        logits: columnsOf(yieldedType(network.exit)),
        pixels: network.task === 'causal-lm' ? 0 : elementsOf(network.entry.params[0]?.type.shape ?? []),
      },
    ),
  ];
}

/** The bodies so far; equal ones are kept once. */
class BodyTable {
  readonly #weights: WeightTable;
  readonly #byKey = new Map<string, { readonly body: Body; readonly buffers: readonly Buffer[] }>();

  /** Bodies of each role. */
  readonly #numbers = new Map<string, number>();

  constructor(weights: WeightTable) {
    this.#weights = weights;
  }

  add(role: string, finished: FinishedBody): Instance {
    const key = `${role} ${finished.key}`;
    const known = this.#byKey.get(key) ?? finished.under(this.#freeName(role));
    this.#byKey.set(key, known);
    return {
      body: known.body.name,
      args: finished.constants.map(({ constant, layout }) => this.#weights.use(constant, layout)),
    };
  }

  list(): readonly Body[] {
    return [...this.#byKey.values()].map(({ body }) => body);
  }

  buffers(): readonly Buffer[] {
    return [...this.#byKey.values()].flatMap(({ buffers }) => buffers);
  }

  #freeName(role: string): string {
    const number = (this.#numbers.get(role) ?? 0) + 1;
    this.#numbers.set(role, number);
    return number === 1 ? role : `${role}_${number}`;
  }
}
