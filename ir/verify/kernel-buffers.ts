/** @file Invariants 5 and 16 of kernel programs: buffers, and those that every program has. */
import {
  dataBuffers,
  HIDDEN,
  KV_PROBES,
  LOGITS,
  PIXELS,
  routerBuffers,
  rowBuffers,
  SCORES,
  scoredBuffers,
  walkBuffers,
  weightingBuffers,
} from '../kernel/control.ts';
import { hubColumns } from '../routers.ts';
import { needsWalk } from '../kernel/types.ts';
import type { Buffer, BufferName, KernelProgram } from '../kernel/types.ts';
import { MAX_BUFFERS } from '../limits.ts';
import type { SourceSpan } from '../types.ts';
import type { Findings } from './findings.ts';
import { quote } from './op.ts';

/** 5 */
export function checkBuffers({ buffers, span }: KernelProgram, findings: Findings): void {
  if (buffers.length > MAX_BUFFERS) {
    findings.add(
      { code: 'RC0521', message: `the program has ${buffers.length} buffers, at most ${MAX_BUFFERS} are allowed` },
      { name: 'buffers', span },
    );
  }
  for (const { name, rows, columns, span: at } of buffers) {
    if ((typeof rows === 'string' || isCount(rows)) && isCount(columns)) continue;
    findings.add(
      { code: 'RC0521', message: `${quote(name)} has ${rows} rows of ${columns} columns` },
      { name: `buffer ${quote(name)}`, span: at },
    );
  }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1;
}

/** 16 */
export function checkState(program: KernelProgram, findings: Findings): void {
  const found = buffersByName(program);
  const columns = (name: BufferName): number => found.get(name)?.columns ?? 1;
  const probed = new Set(
    program.bodies.flatMap(({ kernels }) => kernels.flatMap(({ kind, out }) => (kind === 'probe' ? out?.buffer : []))),
  );
  const probes = { ofBlocks: [...probed].some((name) => name !== KV_PROBES), ofLists: probed.has(KV_PROBES) };
  const wanted = [
    ...rowBuffers(program),
    ...(needsWalk(program) ? walkBuffers(program) : []),
    ...routerBuffers(program, {
      scores: Math.max(columns(SCORES), program.hub === undefined ? 1 : hubColumns(program.blocks)),
      hidden: columns(HIDDEN),
    }),
    ...weightingBuffers(program),
    ...(program.blocks.some(({ scores }) => scores !== undefined) ? scoredBuffers() : []),
    ...dataBuffers(program, probes, {
      hidden: columns(HIDDEN),
      logits: columns(LOGITS),
      pixels: columns(PIXELS),
    }),
  ];
  for (const { name, message, span } of formFaults(program, wanted)) {
    findings.add(
      { code: 'RC0532', message, help: 'lower makes this buffer; what drives a program relies on it' },
      { name: `buffer ${quote(name)}`, span: span ?? program.span },
    );
  }
}

interface FormFault {
  readonly name: BufferName;
  readonly message: string;
  readonly span: SourceSpan | undefined;
}

/** Buffers that a program has not, or has in another form. */
export function formFaults(program: KernelProgram, wanted: readonly Buffer[]): readonly FormFault[] {
  const found = buffersByName(program);
  return wanted.flatMap(({ name, dtype, rows, columns, scope }) => {
    const buffer = found.get(name);
    const same =
      buffer?.dtype === dtype && buffer.rows === rows && buffer.columns === columns && buffer.scope === scope;
    if (same) return [];
    const form = `${quote(name)} : ${dtype}[${rows}, ${columns}] = ${scope}`;
    return [
      { name, message: `the buffer ${form} is ${buffer === undefined ? 'missing' : 'another'}`, span: buffer?.span },
    ];
  });
}

function buffersByName({ buffers }: KernelProgram): ReadonlyMap<BufferName, Buffer> {
  return new Map(buffers.map((buffer) => [buffer.name, buffer]));
}
