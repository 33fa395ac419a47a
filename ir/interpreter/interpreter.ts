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
import type { Block, BlockId, Network, Successor } from '../types.ts';
import type { WeightSource } from '../weights.ts';
import { createConstants } from './constants.ts';
import { execute, fill } from './execute.ts';
import { setRow } from './layout.ts';
import { at, blockOf } from './machine.ts';
import type { Machine } from './machine.ts';
import { copyOf, only, runRegion } from './region.ts';
import { nextStop, probabilityOf } from './route.ts';
import { copyRow, gatherRows, rowOf, rowsOf, tensor } from './tensor.ts';
import type { Interpreter, RunOptions, RunResult } from './types.ts';

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

/** Attention blocks that the edge passes over. */
function between(network: Network, from: BlockId | 'entry', to: Successor): readonly Block[] {
  const low = from === 'entry' ? -1 : from;
  const high = to === 'exit' ? Infinity : to;
  return network.blocks.filter(({ id, role }) => role === 'attention' && id > low && id < high);
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
