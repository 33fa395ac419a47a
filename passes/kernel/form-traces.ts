/**
 * @file Finds blocks that mostly follow one another, in the traffic of recorded routes: they become a straight line.
 *
 *     block ^0 attention … -> gate [^1, ^2, exit]        90 of 100 tokens to ^1
 *     block ^1 mlp … -> gate [^2, ^3, exit]              80 of 90 to ^2            =>   trace ^0 -> [^1, ^2]
 *     block ^2 attention … -> gate [^3, exit]            60 of 95 to ^3
 *
 * A trace follows the edges that more than {@link HOT} of a block's tokens take, as far as it can; where two such edges
 * meet, the busier one goes on. A trace is but a hint: routers decide as before. None in programs without a walk, nor in
 * those for images, whose tokens are swept through the blocks together.
 */
import { needsWalk } from '../../ir/index.ts';
import type { BlockId, KernelProgram, Trace } from '../../ir/index.ts';
import type { KernelPass } from '../pass.ts';
import { checkTraffic } from '../traffic.ts';
import type { EdgeTraffic } from '../traffic.ts';

/** Share of the tokens behind a block that a trace follows. */
const HOT = 0.75;

export const formTraces: KernelPass = {
  name: 'form-traces',
  summary: 'Let blocks that mostly follow one another, in recorded routes, become a straight line.',
  stage: 'kernel',
  run: (program, { options: { traffic } }) => {
    if (traffic === undefined || program.traces !== undefined) return program;
    checkTraffic(program, traffic);
    const traces = mayUseTraces(program) ? chains(hotEdges(traffic.edges)) : [];
    return traces.length === 0 ? program : { ...program, traces };
  },
};

function mayUseTraces(program: KernelProgram): boolean {
  return program.task === 'causal-lm' && needsWalk(program);
}

/** Which block follows most of the time: at most one follows a block, and a block follows at most one. */
function hotEdges(edges: readonly EdgeTraffic[]): ReadonlyMap<BlockId, BlockId> {
  const totals = new Map<EdgeTraffic['from'], number>();
  for (const { from, tokens } of edges) totals.set(from, (totals.get(from) ?? 0) + tokens);
  const busiest = new Map<BlockId, { readonly from: BlockId; readonly tokens: number }>();
  for (const { from, to, tokens } of edges) {
    if (from === 'entry' || to === 'exit' || from === to || tokens <= HOT * (totals.get(from) ?? 0)) continue;
    if (tokens > (busiest.get(to)?.tokens ?? 0)) busiest.set(to, { from, tokens });
  }
  return new Map([...busiest].map(([to, { from }]) => [from, to]));
}

/** In order of their first blocks; one that leads back to itself begins with its lowest block. */
function chains(next: ReadonlyMap<BlockId, BlockId>): readonly Trace[] {
  const followers = new Set(next.values());
  const ascending = [...next.keys()].sort((a, b) => a - b);
  const taken = new Set<BlockId>();
  const traces: Trace[] = [];
  for (const first of [...ascending.filter((id) => !followers.has(id)), ...ascending]) {
    const blocks: BlockId[] = [];
    for (let id: BlockId | undefined = first; id !== undefined && !taken.has(id); id = next.get(id)) {
      taken.add(id);
      blocks.push(id);
    }
    if (blocks.length > 1) traces.push({ blocks });
  }
  return traces.sort((a, b) => (a.blocks[0] ?? 0) - (b.blocks[0] ?? 0));
}
