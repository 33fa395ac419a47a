/** @file Invariants 9 and 23 of kernel programs: what is read of buffers has been written. */
import { HIDDEN, LOGITS, PARTIAL, PARTIAL_COLUMNS, PIXELS, PROBABILITY, SCORES } from '../kernel/control.ts';
import { isView } from '../kernel/types.ts';
import type { Buffer, BufferName, Instance, Kernel, KernelProgram, View } from '../kernel/types.ts';
import { Columns } from './columns.ts';
import type { Findings, Subject } from './findings.ts';
import { quote } from './op.ts';

/** What a run of a body may read of f32 state before it writes there, and what others read when it has ended. */
interface Use {
  readonly given: ReadonlySet<BufferName>;
  readonly leaves: ReadonlySet<View>;
}

/** Of a body that nobody uses. */
const unused: Use = { given: new Set([PIXELS, HIDDEN, PARTIAL, PROBABILITY]), leaves: new Set() };

/** What holds of each body whoever uses it. */
export function usesOf(program: KernelProgram): ReadonlyMap<string, Use> {
  const { entry, hub, blocks, exit, buffers } = program;
  const all = (name: BufferName): View => {
    const columns = buffers.find((buffer) => buffer.name === name)?.columns ?? 1;
    return { buffer: name, from: 0, columns, routed: false };
  };
  const score: View = { buffer: SCORES, from: 0, columns: 1, routed: false };
  const partial: View = { buffer: PARTIAL, from: 0, columns: PARTIAL_COLUMNS, routed: true };
  const found = new Map<string, Use>();
  const add = (user: Instance | undefined, given: readonly BufferName[], leaves: readonly View[]): void => {
    if (user === undefined) return;
    const others = found.get(user.body);
    found.set(user.body, {
      given: new Set(given.filter((name) => others?.given.has(name) !== false)),
      leaves: new Set([...(others?.leaves ?? []), ...leaves]),
    });
  };
  add(entry, [PIXELS], [all(HIDDEN)]);
  add(hub, [HIDDEN], [all(SCORES)]);
  for (const block of blocks) {
    add(block, [HIDDEN, PROBABILITY], block.scores === undefined ? [] : [partial]);
    add(block.gate, [HIDDEN], [score]);
    add(block.finish, [HIDDEN, PARTIAL], [score]);
  }
  add(exit, [HIDDEN], [all(LOGITS)]);
  return found;
}

/** Columns that hold something in the rows of the list; rows that a routed view reaches are others. */
export class Written {
  readonly #ranges = new Map<string, Columns>();
  readonly #use: Use;

  constructor(use: Use = unused) {
    this.#use = use;
  }

  /** Notes what the kernel writes. */
  note({ kind, inputs, out }: Kernel): void {
    if (out !== null) this.#add(out);
    for (const [name, input] of Object.entries(inputs)) if (isMade(kind, name) && isView(input)) this.#add(input);
  }

  #add(view: View): void {
    const key = keyOf(view);
    const ranges = this.#ranges.get(key) ?? new Columns();
    ranges.add(rangeOf(view));
    this.#ranges.set(key, ranges);
  }

  includes(view: View): boolean {
    return this.#use.given.has(view.buffer) || this.#holds(view);
  }

  /** What others read of the body, and it does not write. */
  missing(): readonly View[] {
    return [...this.#use.leaves].filter((view) => !this.#holds(view));
  }

  #holds(view: View): boolean {
    return this.#ranges.get(keyOf(view))?.includes(rangeOf(view)) === true;
  }
}

/** A linear writes what it leaves for a score. */
function isMade(kind: Kernel['kind'], input: string): boolean {
  return kind === 'linear' && input === 'partial';
}

function keyOf({ buffer, routed }: View): string {
  return `${routed ? 'routed' : 'plain'} ${buffer}`;
}

function rangeOf({ from, columns }: View): { readonly from: number; readonly to: number } {
  return { from, to: from + columns };
}

/** 9 */
export function checkReads(
  { kind, inputs }: Kernel,
  written: Written,
  subject: Subject,
  { buffers, findings }: { readonly buffers: ReadonlyMap<BufferName, Buffer>; readonly findings: Findings },
): void {
  for (const [name, input] of Object.entries(inputs)) {
    if (!isView(input) || buffers.get(input.buffer)?.dtype !== 'f32') continue;
    if (isMade(kind, name) || written.includes(input)) continue;
    findings.add({ code: 'RC0525', message: `${shown(input)} are read before they are written` }, subject);
  }
}

/** 23 */
export function checkLeft(written: Written, subject: Subject, findings: Findings): void {
  for (const view of written.missing()) {
    const message = `it does not write ${shown(view)}, which is read when it has run`;
    findings.add({ code: 'RC0543', message, help: 'let kernels write all of these columns' }, subject);
  }
}

function shown(view: View): string {
  const { from, to } = rangeOf(view);
  return `columns ${from}..${to} of ${view.routed ? 'routed ' : ''}${quote(view.buffer)}`;
}
