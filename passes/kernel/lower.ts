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
 * Ops on constants only are refused: fold-constants moves them.
 */
import {
  fail,
  HIDDEN,
  IDS,
  LOGITS,
  needsWalk,
  PIXELS,
  POSITIONS,
  PROBE_COLUMNS,
  PROBES,
  rowBuffers,
  walkBuffers,
} from '../../ir/index.ts';
import type { Body, Buffer, BufferName, Instance, KernelProgram, Network } from '../../ir/index.ts';
import type { Lowering, PassOptions } from '../pass.ts';
import { columnsOf } from './code.ts';
import type { FinishedBody } from './frame.ts';
import { elementsOf, lowerRegion, resultType } from './lower-region.ts';
import type { Place } from './lower-region.ts';
import { WeightTable } from './weight-table.ts';

/** Tokens that prefill takes at a time, unless the caller says otherwise. */
const DEFAULT_CHUNK = 128;
/** Rows of logits that the exit makes at a time. */
const HEAD_ROWS = 16;

export const lower: Lowering = {
  name: 'lower',
  summary: 'Lower the network to kernels over buffers.',
  stage: 'lowering',
  run: (network, { options }) => lowerNetwork(network, options),
};

function lowerNetwork(network: Network, options: PassOptions): KernelProgram {
  const causal = network.task === 'causal-lm';
  const chunk = causal ? Math.min(network.context, chunkOption(options)) : network.context;
  const weights = new WeightTable(network);
  const bodies = new BodyTable(weights);
  const places = placesOf(network);
  const fills = network.routing.kv === 'project' && needsWalk(network);

  const entry = bodies.add('entry', lowerRegion(network, weights, network.entry, places.entry));
  let lists = 0;
  const blocks = network.blocks.map(({ id, role, body, edge }) => {
    const attention = fills ? body.ops.find((op) => op.kind === 'attention') : undefined;
    const instance = bodies.add(role, lowerRegion(network, weights, body, places.block, attention));
    return { id, role, ...instance, list: role === 'attention' ? lists++ : null, edge };
  });
  const exit = bodies.add('exit', lowerRegion(network, weights, network.exit, places.exit));

  return {
    stage: 'kernel',
    name: network.name,
    task: network.task,
    context: network.context,
    routing: network.routing,
    chunk,
    headRows: causal ? Math.min(HEAD_ROWS, chunk) : 1,
    consts: weights.consts(),
    weights: weights.list(),
    buffers: [...stateBuffers(network, places), ...bodies.buffers()],
    kv: null,
    memory: null,
    bodies: bodies.list(),
    entry: { ...entry, edge: network.entry.edge },
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

type Places = Readonly<Record<'entry' | 'block' | 'exit', Place>>;

/** The exit of an image sees all tokens and makes one row; that of a language model runs on a few tokens at a time. */
function placesOf(network: Network): Places {
  const causal = network.task === 'causal-lm';
  const exitRows: Buffer['rows'] = causal ? 'head' : 'chunk';
  const [logitRows = 1] = resultType(network.exit).shape;
  const hidden = { buffer: HIDDEN, rows: 'chunk' } as const;
  return {
    entry: {
      params: causal ? [IDS, POSITIONS] : [PIXELS],
      home: hidden,
      routed: { params: false, home: false },
      tokenRows: 'chunk',
    },
    block: {
      params: [HIDDEN, POSITIONS],
      home: hidden,
      routed: { params: true, home: true },
      tokenRows: 'chunk',
    },
    exit: {
      params: [HIDDEN],
      home: { buffer: LOGITS, rows: logitRows === 'tokens' ? exitRows : logitRows },
      routed: { params: true, home: false },
      tokenRows: exitRows,
    },
  };
}

function stateBuffers(network: Network, { exit }: Places): readonly Buffer[] {
  const state = (name: BufferName, rows: Buffer['rows'], columns: number): Buffer => {
    return { name, dtype: 'f32', rows, columns, scope: 'state', at: null };
  };
  const [pixels] = network.entry.params;
  const image =
    network.task === 'causal-lm' || pixels === undefined ? [] : [state(PIXELS, 1, elementsOf(pixels.type.shape))];
  const probed = network.blocks.filter(({ body }) => body.ops.some(({ kind }) => kind === 'probe'));
  const lastProbed = probed.at(-1);
  const probes = lastProbed === undefined ? [] : [state(PROBES, 'chunk', PROBE_COLUMNS * (lastProbed.id + 1))];
  return [
    ...rowBuffers(),
    ...(needsWalk(network) ? walkBuffers(network) : []),
    ...image,
    ...probes,
    state(HIDDEN, 'chunk', columnsOf(resultType(network.entry))),
    state(LOGITS, exit.home.rows, columnsOf(resultType(network.exit))),
  ];
}

/** The bodies so far; equal ones are kept once. */
class BodyTable {
  readonly #weights: WeightTable;
  readonly #byKey = new Map<string, { readonly body: Body; readonly buffers: readonly Buffer[] }>();

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
    const same = this.list().filter(({ name }) => name === role || name.startsWith(`${role}_`)).length;
    return same === 0 ? role : `${role}_${same + 1}`;
  }
}
