/** @file Invariant 20 of networks and 17 of kernel programs: rows that are selected by number are there. */
import { HOPS, IDS, POSITIONS } from '../kernel/control.ts';
import type { BufferName, KernelProgram } from '../kernel/types.ts';
import { kernelTableRead, tableReadOf } from '../tables.ts';
import type { Dim, Network, Op, Ref, TensorType } from '../types.ts';
import type { Findings, Subject } from './findings.ts';
import { quote } from './op.ts';
import type { Problem } from './op.ts';
import { namedRegions } from './values.ts';

type Selector = 'ids' | 'positions' | 'hops';

/** What a reader asks of a table. */
interface Demand {
  readonly by: Selector | undefined;
  readonly offset: number;
  /** Numbers that the selector holds: 0 … count - 1. */
  readonly count: number;
}

/** How many numbers each selector can hold; of ids there is at least one. */
function countOf({ context, routing }: Pick<Network, 'context' | 'routing'>, by: Selector | undefined): number {
  if (by === 'positions') return context;
  return by === 'hops' ? routing.maxHops : 1;
}

/** What is wrong with reading a table of so many rows, or undefined. */
function tableProblem(table: string, rows: Dim | undefined, { by, offset, count }: Demand): Problem | undefined {
  const code = 'RC0531';
  if (rows === 'tokens') return { code, message: `${table} has no known number of rows to select from` };
  if (rows === undefined || by === undefined) return undefined;
  const last = offset + count - 1;
  if (!(rows <= last)) return undefined;
  return by === 'ids'
    ? { code, message: `the offset ${offset} leaves no row of ${table}, which has ${rows}` }
    : {
        code,
        message: `${by} select rows up to ${last} of ${table}, which has ${rows}`,
        help: `give it ${last + 1} rows, or the model ${by === 'hops' ? 'a hop cap' : 'a context'} of at most ${Math.max(rows - offset, 1)}`,
      };
}

/** 20 */
export function checkTables(network: Network, findings: Findings): void {
  const { context, task, consts } = network;
  const globals = new Map<Ref, TensorType>(consts.map(({ name, type }) => [name, type]));
  for (const { name, region, role } of namedRegions(network)) {
    const [first, second] = region.params.map((param) => param.name);
    const selectors = new Map<Ref | undefined, Selector>([[second, role === 'hub' ? 'hops' : 'positions']]);
    if (role === 'entry' && task === 'causal-lm') selectors.set(first, 'ids');
    const locals = new Map<Ref, TensorType>(region.params.map((param) => [param.name, param.type]));
    const rowsOf = (ref: Ref | undefined): Dim | undefined =>
      ref === undefined ? undefined : (locals.get(ref) ?? globals.get(ref))?.shape[0];
    for (const op of region.ops) {
      const read = tableReadOf(op);
      const problem =
        read === undefined
          ? selectProblem(op, rowsOf(op.operands[0]), task === 'causal-lm' ? 1 : context)
          : tableProblem(quote(read.table), rowsOf(read.table), {
              by: selectors.get(read.selector),
              offset: read.offset,
              count: countOf(network, selectors.get(read.selector)),
            });
      if (problem !== undefined) findings.add(problem, { name: `${name}, ${quote(op.result)}`, span: op.span });
      locals.set(op.result, op.type);
    }
  }
}

/** Of the rows in flight in a language model there is surely one, in one for images are there all. */
function selectProblem({ kind, attrs }: Op, dim: Dim | undefined, inFlight: number): Problem | undefined {
  const row = attrs['row'];
  if (kind !== 'select' || typeof row !== 'number' || dim === undefined) return undefined;
  const rows = dim === 'tokens' ? inFlight : dim;
  if (!(row >= rows)) return undefined;
  const help = rows === 1 ? 'only row 0 can be selected' : `rows are counted from 0 to ${rows - 1}`;
  return { code: 'RC0531', message: `select takes row ${row} of a value with ${rows}`, help };
}

/** Buffers whose numbers select rows. */
const selectorOf: Readonly<Partial<Record<BufferName, Selector>>> = {
  [IDS]: 'ids',
  [POSITIONS]: 'positions',
  [HOPS]: 'hops',
};

/** 17 */
export function checkKernelTables(program: KernelProgram, findings: Findings): void {
  for (const { name, formals, kernels, fill } of program.bodies) {
    const rows = new Map(formals.map((formal) => [formal.name, formal.shape[0]]));
    for (const kernel of [...kernels, ...fill]) {
      const read = kernelTableRead(kernel);
      if (read === undefined) continue;
      const by = selectorOf[read.selector];
      const demand = { by, offset: read.offset, count: countOf(program, by) };
      const problem = tableProblem(quote(read.table), rows.get(read.table), demand);
      const subject: Subject = { name: `body ${quote(`#${name}`)}, ${kernel.kind}`, span: kernel.span };
      if (problem !== undefined) findings.add(problem, subject);
    }
  }
}
