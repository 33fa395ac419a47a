/**
 * @file Invariant 18 of kernel programs: rows.
 *
 * A kernel computes one row for each of the row list; where its output has a fixed number of rows and is not routed, it
 * computes these.
 */
import { isView, routerInstances, rowCount } from '../kernel/types.ts';
import type { Buffer, BufferName, Formal, Kernel, KernelProgram, View } from '../kernel/types.ts';
import type { Global } from '../types.ts';
import type { Findings } from './findings.ts';
import { quote } from './op.ts';

interface Scope {
  readonly chunk: number;
  /** Rows that a row list of this body has at most. */
  readonly listed: number;
  readonly rowsOf: (name: BufferName) => number | undefined;
  readonly isFixed: (name: BufferName) => boolean;
  readonly formals: ReadonlyMap<Global, Formal>;
}

/** 18 */
export function checkRows(program: KernelProgram, findings: Findings): void {
  const { chunk, headRows, task } = program;
  const buffers = new Map(program.buffers.map((buffer) => [buffer.name, buffer]));
  const inChunk = new Set([program.entry, ...routerInstances(program), ...program.blocks].map(({ body }) => body));
  const exitRows = task === 'causal-lm' ? headRows : chunk;
  for (const body of program.bodies) {
    const scope: Scope = {
      chunk,
      listed: inChunk.has(body.name) ? chunk : exitRows,
      rowsOf: (name) => rowsIn(buffers.get(name), program),
      isFixed: (name) => typeof buffers.get(name)?.rows === 'number',
      formals: new Map(body.formals.map((formal) => [formal.name, formal])),
    };
    for (const kernel of [...body.kernels, ...body.fill]) {
      const subject = { name: `body ${quote(`#${body.name}`)}, ${kernel.kind}`, span: kernel.span };
      for (const message of rowFaults(kernel, scope)) findings.add({ code: 'RC0533', message }, subject);
    }
  }
}

function rowsIn(buffer: Buffer | undefined, program: KernelProgram): number | undefined {
  return buffer === undefined ? undefined : rowCount(buffer, program);
}

function rowFaults(kernel: Kernel, scope: Scope): readonly string[] {
  const { kind, out, inputs } = kernel;
  const rows = computedRows(kernel, scope);
  const faults =
    out === null ? [] : [...viewFaults('the output', out, rows, scope), ...rowsLeft(kind, out, rows, scope)];
  for (const [name, input] of Object.entries(inputs)) {
    if (isView(input)) faults.push(...viewFaults(name, input, readRows(kernel, rows), scope));
    else if (kind === 'binary') faults.push(...weightFaults(name, scope.formals.get(input.weight), rows));
  }
  const { x } = inputs;
  if (kind === 'prepend' && x !== undefined && isView(x) && x.routed) {
    faults.push('x is routed, expected rows in order');
  }
  return faults;
}

/** These kernels make so many rows, however many others do; more would not be written. */
function rowsLeft(kind: Kernel['kind'], { buffer, routed }: View, rows: number, { chunk, rowsOf }: Scope): string[] {
  if (kind !== 'select' && kind !== 'patchify') return [];
  const there = routed ? chunk : (rowsOf(buffer) ?? rows);
  return there > rows ? [`the output has ${there} rows, the kernel makes ${rows}`] : [];
}

/** How many rows a kernel computes at most. */
function computedRows({ kind, out, attrs }: Kernel, { listed, rowsOf, isFixed }: Scope): number {
  if (kind === 'select') return 1;
  if (kind === 'patchify') return (Number(attrs['height']) * Number(attrs['width'])) / Number(attrs['size']) ** 2;
  return out !== null && !out.routed && isFixed(out.buffer) ? (rowsOf(out.buffer) ?? listed) : listed;
}

/** How many rows of its views a kernel reads when it computes so many. */
function readRows({ kind, attrs }: Kernel, rows: number): number {
  if (kind === 'select') return Number(attrs['row']) + 1;
  if (kind === 'prepend') return rows - 1;
  return kind === 'patchify' ? 1 : rows;
}

function viewFaults(name: string, { buffer, routed }: View, needed: number, { chunk, rowsOf }: Scope): string[] {
  const rows = rowsOf(buffer);
  if (rows === undefined) return [];
  if (routed && rows < chunk) {
    return [`${name} is routed, but ${quote(buffer)} has ${rows} rows for a chunk of ${chunk}`];
  }
  const there = routed ? chunk : rows;
  return there < needed ? [`${name} has ${there} rows, the kernel needs ${needed}`] : [];
}

/** One row is used for every row. */
function weightFaults(name: string, formal: Formal | undefined, rows: number): readonly string[] {
  const [found, columns] = formal?.shape ?? [];
  if (found === undefined || columns === undefined || found === 1 || found >= rows) return [];
  return [`${name} has ${found} rows, the kernel needs ${rows}`];
}
