/** @file Invariant 24 of networks, which kernel programs share: what an oracle needs to look ahead. */
import { PROBES, PROBE_COLUMNS } from '../kernel/control.ts';
import type { KernelProgram } from '../kernel/types.ts';
import { askedOracle, behindGates, oracleKind } from '../routers.ts';
import type { Edge, Successor } from '../types.ts';
import type { Findings, Subject } from './findings.ts';
import type { Graph } from './graph.ts';

/** 24 */
export function checkOracle(graph: Graph, findings: Findings): void {
  const kind = askedOracle(graph);
  if (kind === undefined) return;
  const behind = behindGates(graph);
  const check = (id: number, edge: Edge, subject: Subject): void => {
    const problem = problemOf(graph, id, edge, kind) ?? orderProblem(edge, behind);
    if (problem === undefined) return;
    const message = `an oracle cannot look ahead where ${subject.name} ${problem}`;
    findings.add({ code: 'RC0539', message, help: '`radialc explain RC0539` says what an oracle needs' }, subject);
  };
  check(-1, graph.entry.edge, { name: 'entry', span: graph.entry.edge.span });
  for (const { id, edge } of graph.blocks) check(id, edge, { name: `block ^${id}`, span: edge.span });
}

function problemOf({ task }: Graph, id: number, { router, successors }: Edge, kind: string): string | undefined {
  if (task === 'image-classification') return 'is in a network for images';
  if (successors.some((next) => placeOf(next) <= id)) return 'leads back';
  if (router === null || router.kind === 'external') return undefined;
  if (oracleKind(router) !== kind) return `asks \`${router.kind}\`, another edge \`${kind}\``;
  if (successors.at(-1) !== 'exit') return 'has no `exit` at its end';
  return undefined;
}

function orderProblem({ router, successors }: Edge, behind: ReturnType<typeof behindGates>): string | undefined {
  if (oracleKind(router) === undefined) return undefined;
  const ascends = successors.every((next, i) => i === 0 || placeOf(next) > placeOf(successors[i - 1] ?? 'exit'));
  if (!ascends) return 'does not name its successors in ascending order';
  const other = successors.find((next, i) => next !== 'exit' && behind.get(next) !== successors[i + 1]);
  return other === undefined ? undefined : `names behind ^${other} what other edges do not`;
}

function placeOf(successor: Successor): number {
  return successor === 'exit' ? Infinity : successor;
}

/** 14 of kernel programs: probes say what the oracle wants to know, of the only sequence. */
export function checkLookedAt(program: KernelProgram, findings: Findings): void {
  const looked = new Set(
    [program.entry, ...program.blocks].flatMap(({ edge }) => (oracleKind(edge.router) ? edge.successors : [])),
  );
  if (looked.size > 0 && program.sequences > 1) {
    const message = `an oracle looks ahead in one sequence, the program holds ${program.sequences}`;
    findings.add({ code: 'RC0539', message, help: 'write `sequences: 1`' }, { name: `program ${program.name}` });
  }
  for (const { id, body, span } of program.blocks) {
    const { kernels = [] } = program.bodies.find(({ name }) => name === body) ?? {};
    const isProbed = kernels.some(({ out }) => out?.buffer === PROBES && out.from === PROBE_COLUMNS * id);
    if (!looked.has(id) || isProbed) continue;
    const message = `an oracle looks at block ^${id}, which has no probe`;
    findings.add({ code: 'RC0539', message, help: 'insert-probes makes one' }, { name: `block ^${id}`, span });
  }
}
