/** @file Where a token goes next, and by what the branch there is scaled. */
import { DEFAULT_THRESHOLD, gateLevel, hubColumn, oracleKind } from '../routers.ts';
import type { BlockId, OracleKind, Successor } from '../types.ts';
import { execute } from './execute.ts';
import { entriesOf } from './kv.ts';
import type { KvCache } from './kv.ts';
import { at, blockOf, edgeOf } from './machine.ts';
import type { Machine } from './machine.ts';
import { only, runRegion } from './region.ts';
import { tensor } from './tensor.ts';
import type { Tensor } from './tensor.ts';
import type { BlockEvent, Walk } from './types.ts';

/** A token on its way. */
export interface Traveller {
  /** Its hidden state, one row. */
  readonly x: Tensor;
  readonly position: number;
  /** Blocks that it has executed. */
  readonly hops: number;
  readonly walk: Walk | undefined;
}

/** Where the token goes next. */
export function nextStop(machine: Machine, from: BlockId | 'entry', token: Traveller): Successor {
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

/** By what the branch of a block is scaled for a token that comes to it by this edge. */
export function probabilityOf(machine: Machine, from: BlockId | 'entry', to: BlockId, token: Traveller): number {
  const { router, successors } = edgeOf(machine.network, from);
  if (machine.network.routing.weighting !== 'probability') return 1;
  if (router?.kind === 'gate') return 1 / (1 + Math.exp(-(gateScore(machine, to, token.x) ?? Infinity)));
  if (router?.kind !== 'hub') return 1;
  const scoreOf = hubScores(machine, token);
  return 1 / successors.reduce<number>((sum, next) => sum + Math.exp(scoreOf(next) - scoreOf(to)), 0);
}
