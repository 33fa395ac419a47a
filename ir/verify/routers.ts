/** @file Invariants 21–23 and 25 of networks, which kernel programs share: what learned routers need. */
import { behindGates } from '../routers.ts';
import type { Edge, Successor } from '../types.ts';
import type { Findings, Subject } from './findings.ts';
import type { Graph } from './graph.ts';

/** 21–23, 25 */
export function checkRouters(graph: Graph, findings: Findings): void {
  const gated = new Set<Successor>(graph.blocks.filter(({ gate }) => gate !== undefined).map(({ id }) => id));
  const behind = behindGates(graph);
  const check = (edge: Edge, subject: Subject): void => {
    if (graph.routing.weighting === 'probability') checkWays(edge, gated, subject, findings);
    if (edge.router?.kind === 'hub') checkHub(graph, subject, findings);
    if (edge.router?.kind !== 'gate') return;
    checkWayOut(edge, gated, subject, findings);
    checkOrder(graph, edge, subject, findings);
    for (const [i, successor] of edge.successors.entries()) {
      const [next, other] = [edge.successors[i + 1], successor === 'exit' ? undefined : behind.get(successor)];
      if (next === undefined || !gated.has(successor) || next === other) continue;
      const message = `behind the gate of ${show(successor)} ${subject.name} names ${show(next)}, another edge ${show(other ?? 'exit')}`;
      findings.add({ code: 'RC0535', message, help: 'name the same successor behind it in all lists' }, subject);
    }
  };
  check(graph.entry.edge, { name: 'entry', span: graph.entry.edge.span });
  for (const { id, edge } of graph.blocks) check(edge, { name: `block ^${id}`, span: edge.span });
}

/** 25 */
function checkWays(
  { router, successors }: Edge,
  gated: ReadonlySet<Successor>,
  subject: Subject,
  findings: Findings,
): void {
  const found = router?.kind === 'gate' ? undefined : successors.find((successor) => gated.has(successor));
  if (found === undefined) return;
  const message = `${subject.name} leads to ${show(found)} without asking its gate, which weighs what the block adds`;
  findings.add({ code: 'RC0540', message, help: 'write `-> gate [ … ]`, or leave `weighting` out' }, subject);
}

/** 21 */
function checkWayOut({ successors }: Edge, gated: ReadonlySet<Successor>, subject: Subject, findings: Findings): void {
  const last = successors.at(-1);
  if (last === undefined || !gated.has(last)) return;
  const message = `${subject.name} leaves a token without a way when all gates are closed`;
  findings.add({ code: 'RC0534', message, help: 'let the list end in `exit`, or in a block without a gate' }, subject);
}

/** 18: an image's tokens go through the blocks in order, also from gate to gate. */
function checkOrder({ task }: Graph, { successors }: Edge, subject: Subject, findings: Findings): void {
  if (task !== 'image-classification') return;
  const at = successors.findIndex((next, i) => i > 0 && placeOf(next) <= placeOf(successors[i - 1] ?? -1));
  const [before, next] = [successors[at - 1], successors[at]];
  if (before === undefined || next === undefined) return;
  const message = `${subject.name} names ${show(next)} behind ${show(before)}; in a network for images, routes lead forward`;
  findings.add({ code: 'RC0517', message, help: 'write the successors in ascending order' }, subject);
}

function placeOf(successor: Successor): number {
  return successor === 'exit' ? Infinity : successor;
}

/** 23 */
function checkHub({ hub, task }: Graph, subject: Subject, findings: Findings): void {
  if (hub === undefined) {
    const help = 'write `hub(%x: …, %hops: i32[tokens]) { … }`';
    findings.add({ code: 'RC0536', message: `${subject.name} asks a hub, but there is none`, help }, subject);
  } else if (task === 'image-classification') {
    const help = 'use gates';
    findings.add({ code: 'RC0536', message: `${subject.name} asks a hub, in a network for images`, help }, subject);
  }
}

function show(successor: Successor): string {
  return successor === 'exit' ? 'exit' : `^${successor}`;
}
