/** @file Invariant 13 of kernel programs: lists of the KV cache, and the plan for them. */
import { kvBuffers } from '../kernel/control.ts';
import { kvDemand, kvShapes } from '../kernel/kv-demand.ts';
import { needsWalk, PANEL } from '../kernel/types.ts';
import type { KernelProgram, KvPlan } from '../kernel/types.ts';
import { MAX_SLOTS } from '../limits.ts';
import type { Findings } from './findings.ts';
import { formFaults } from './kernel-buffers.ts';

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
      {
        code: 'RC0529',
        message: 'the program is placed in memory and has attention, but no KV plan',
        help: 'run plan-kv-cache, then plan-memory',
      },
      subject,
    );
  }
  if (kv === null) return;
  const help = 'leave `kv` and its buffers out, and plan-kv-cache makes them';
  for (const message of [...planFaults(program, kv, lists), ...demandFaults(program, kv)]) {
    findings.add({ code: 'RC0529', message, help }, subject);
  }
  for (const { message } of formFaults(program, kvBuffers(kv, program))) {
    findings.add({ code: 'RC0529', message, help }, subject);
  }
}

function planFaults(program: KernelProgram, kv: KvPlan, lists: number): readonly string[] {
  const faults: string[] = [];
  if (kv.lists !== lists) faults.push(`the plan has ${kv.lists} lists, the blocks ${lists}`);
  if (!(kv.slots % PANEL === 0 && kv.slots >= PANEL && kv.slots <= MAX_SLOTS)) {
    faults.push(`pages have ${kv.slots} slots, expected a multiple of ${PANEL} up to ${MAX_SLOTS}`);
  }
  const shapes = kvShapes(program);
  const widest = shapes.reduce((most, { heads, columns }) => Math.max(most, heads * columns), 0);
  if (kv.width < widest) faults.push(`entries are ${kv.width} wide, a block appends ${widest}`);
  const [first, other] = new Set(shapes.map(({ heads, columns }) => `${heads} × ${columns}`));
  if (program.routing.kv === 'latest' && needsWalk(program) && first !== undefined && other !== undefined) {
    faults.push(`policy latest copies K and V between blocks, but some have ${first} of them, others ${other}`);
  }
  if (!(kv.pagesPerList * kv.slots >= kv.entriesPerList)) {
    faults.push(`${kv.pagesPerList} pages of ${kv.slots} slots do not hold ${kv.entriesPerList} entries`);
  }
  return faults;
}

/** A running program claims pages without asking again, so that all that can be needed has to be there. */
function demandFaults(program: KernelProgram, kv: KvPlan): readonly string[] {
  const { entriesPerList, pages } = kvDemand(program);
  const needed = program.sequences * pages(kv.slots);
  const faults: string[] = [];
  if (!(kv.entriesPerList >= entriesPerList)) {
    faults.push(`a list holds ${kv.entriesPerList} entries, but can get ${entriesPerList}`);
  }
  if (kv.pages < needed) faults.push(`the pool has ${kv.pages} pages, the lists can need ${needed}`);
  return faults;
}
