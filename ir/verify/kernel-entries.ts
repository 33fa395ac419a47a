/**
 * @file Invariant 22 of kernel programs: no attend reads an entry of a KV list that nobody has written.
 *
 * Only a block's own body attends to its list, over the entries up to that of its row, in an image over all. They are
 * - of rows that execute the block: the body appends for each row of its list before it attends (11), what it was given or
 *   has made of just these rows (9, 18);
 * - of tokens that have passed it over. Under `absent` there are none. Under `project` the fill writes them, so it must be
 *   there as soon as tokens walk. Under `latest` they are copies of entries that executing rows have left, in lists of the
 *   same form (13); a token that has left none yet has no entry.
 */
import { needsWalk } from '../kernel/types.ts';
import type { Body, Buffer, BufferName, KernelProgram } from '../kernel/types.ts';
import type { Problem } from './op.ts';

/** 22, of the body of an attention block. */
export function entryFaults(
  { kernels, fill }: Body,
  program: KernelProgram,
  buffers: ReadonlyMap<BufferName, Buffer>,
): readonly Problem[] {
  const { routing, task } = program;
  const faults: Problem[] = [];
  const fault = (message: string, help: string): void => {
    faults.push({ code: 'RC0542', message, help });
  };
  if (fill.length === 0 && routing.kv === 'project' && needsWalk(program)) {
    fault(
      'tokens that pass the block over leave entries that nobody writes',
      'policy project needs a fill; lower makes it',
    );
  }
  if (fill.some(({ out }) => out !== null && buffers.get(out.buffer)?.scope === 'state')) {
    fault('its fill changes what tokens have that pass the block over', 'let it write scratch and append');
  }
  for (const { kind, out, attrs } of kernels) {
    if (kind !== 'attend' || out === null) continue;
    const rows = buffers.get(out.buffer)?.rows;
    if (!out.routed && typeof rows === 'number') {
      fault(`attend computes ${rows} rows, whatever tokens have entries`, 'write its output to a buffer of the chunk');
    }
    const causal = task === 'causal-lm';
    if (attrs['causal'] === causal) continue;
    const message = `attend is ${causal ? 'not causal' : 'causal'}, but the task is ${task}`;
    faults.push({ code: 'RC0514', message, help: `write \`causal: ${causal}\`` });
  }
  return faults;
}
