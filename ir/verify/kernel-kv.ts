/** @file Invariant 13 of kernel programs: lists of the KV cache, and the plan for them. */
import { kvBuffers } from '../kernel/control.ts';
import type { Body, KernelProgram, KvPlan } from '../kernel/types.ts';
import type { Findings } from './findings.ts';
import { quote } from './op.ts';

/** 13 */
export function checkKv(program: KernelProgram, findings: Findings): void {
  let lists = 0;
  for (const { id, role, list, span } of program.blocks) {
    const expected = role === 'attention' ? lists++ : null;
    if (list === expected) continue;
    const shown = (number: number | null): string => (number === null ? 'no list' : `list ${number}`);
    findings.add(
      { code: 'RC0529', message: `block ^${id} has ${shown(list)}, expected ${shown(expected)}` },
      { name: `block ^${id}`, span },
    );
  }
  const { kv, memory } = program;
  const subject = { name: 'kv', span: program.span };
  if (kv === null && memory !== null && lists > 0) {
    findings.add(
      { code: 'RC0529', message: 'the program is placed in memory and has attention, but no KV plan' },
      subject,
    );
  }
  if (kv !== null) {
    for (const message of planFaults(program, kv, lists)) findings.add({ code: 'RC0529', message }, subject);
  }
}

function planFaults(program: KernelProgram, kv: KvPlan, lists: number): readonly string[] {
  const faults: string[] = [];
  if (kv.lists !== lists) faults.push(`the plan has ${kv.lists} lists, the blocks ${lists}`);
  const widest = Math.max(0, ...program.bodies.map(appendedColumns));
  if (kv.width < widest) faults.push(`entries are ${kv.width} wide, a block appends ${widest}`);
  if (kv.pagesPerList * kv.slots < kv.entriesPerList) {
    faults.push(`${kv.pagesPerList} pages of ${kv.slots} slots do not hold ${kv.entriesPerList} entries`);
  }
  const fewest = Math.ceil(program.context / kv.slots);
  if (kv.entriesPerList < program.context) {
    faults.push(`a list holds ${kv.entriesPerList} entries, fewer than the context`);
  }
  if (kv.pages < fewest) faults.push(`the pool has ${kv.pages} pages, one list alone needs ${fewest}`);
  const found = new Map(program.buffers.map((buffer) => [buffer.name, buffer]));
  for (const { name, rows, columns, dtype } of kvBuffers(kv)) {
    const buffer = found.get(name);
    if (buffer?.rows === rows && buffer.columns === columns && buffer.dtype === dtype) continue;
    faults.push(`the buffer ${quote(name)} : ${dtype}[${rows}, ${columns}] is missing or another`);
  }
  return faults;
}

function appendedColumns({ kernels }: Body): number {
  const append = kernels.find(({ kind }) => kind === 'append');
  const columns = Number(append?.attrs['kv_heads']) * Number(append?.attrs['head_dim']);
  return Number.isFinite(columns) ? columns : 0;
}
