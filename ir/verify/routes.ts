/** @file Invariants 16–19 and 21–25 of networks, which kernel programs share: where edges lead. */
import { MAX_SUCCESSORS } from '../limits.ts';
import type { Edge, Successor } from '../types.ts';
import type { Findings, Subject } from './findings.ts';
import type { Graph } from './graph.ts';
import { checkOracle } from './oracle.ts';
import { checkRouters } from './routers.ts';

/** 16–19, 21–25 */
export function checkEdges(graph: Graph, findings: Findings): void {
  const ids = new Set<Successor>([...graph.blocks.map((block) => block.id), 'exit']);
  checkEdge(graph.entry.edge, ids, { name: 'entry', span: graph.entry.edge.span }, findings);
  for (const { id, edge } of graph.blocks) {
    const subject = { name: `block ^${id}`, span: edge.span };
    checkEdge(edge, ids, subject, findings);
    const back = edge.successors.find((successor) => successor !== 'exit' && successor <= id);
    if (graph.task === 'image-classification' && back !== undefined) {
      findings.add(
        { code: 'RC0517', message: `block ^${id} leads to ^${back}; in a network for images, routes lead forward` },
        subject,
      );
    }
  }
  checkRouters(graph, findings);
  checkOracle(graph, findings);
  const named = graph.blocks.reduce(
    (sum, { edge }) => sum + edge.successors.length,
    graph.entry.edge.successors.length,
  );
  if (named > MAX_SUCCESSORS) {
    const message = `the edges name ${named} successors, at most ${MAX_SUCCESSORS} are allowed`;
    findings.add(
      { code: 'RC0515', message, help: 'leave out successors that no route takes' },
      { name: 'edges', span: graph.span },
    );
  }
  if (!reachesExit(graph)) {
    findings.add(
      {
        code: 'RC0518',
        message: 'no route leads from entry to exit',
        help: 'give a block on the way the successor `exit`',
      },
      { name: 'entry', span: graph.entry.edge.span ?? graph.span },
    );
  }
}

/** 16, 17 */
function checkEdge(
  { router, successors }: Edge,
  ids: ReadonlySet<Successor>,
  subject: Subject,
  findings: Findings,
): void {
  if (successors.length === 0) findings.add({ code: 'RC0515', message: `${subject.name} has no successor` }, subject);
  const seen = new Set<Successor>();
  for (const successor of successors) {
    const shown = successor === 'exit' ? 'exit' : `^${successor}`;
    if (!ids.has(successor)) {
      findings.add({ code: 'RC0515', message: `${subject.name} leads to ${shown}, which does not exist` }, subject);
    }
    if (seen.has(successor)) findings.add({ code: 'RC0515', message: `${subject.name} names ${shown} twice` }, subject);
    seen.add(successor);
  }
  if (router === null && successors.length > 1) {
    const message = `${subject.name} has ${successors.length} successors and no router`;
    findings.add({ code: 'RC0516', message, help: 'write `-> external [ … ]`' }, subject);
  }
}

/** 19 */
function reachesExit({ entry, blocks }: Graph): boolean {
  const edges = new Map(blocks.map((block) => [block.id, block.edge]));
  const seen = new Set<Successor>(entry.edge.successors);
  for (const successor of seen) {
    // A set goes on to what is added while it is walked.
    if (successor === 'exit') return true;
    for (const next of edges.get(successor)?.successors ?? []) seen.add(next);
  }
  return false;
}
