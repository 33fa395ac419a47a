/** @file Invariant 15 of kernel programs: addresses. */
import { ALIGNMENT, bufferBytes, isView, weightBytes } from '../kernel/types.ts';
import type { BufferName, Kernel, KernelProgram, MemoryPlan } from '../kernel/types.ts';
import type { SourceSpan } from '../types.ts';
import type { Findings, Subject } from './findings.ts';
import { quote } from './op.ts';

const PAGE_BYTES = 65_536;
/** What 32-bit addresses reach, less one page, so that the end of memory is an address too. */
const MAX_BYTES = 2 ** 32 - PAGE_BYTES;

/** Something that has an address, and when it is alive: always, or in some kernels of some code. */
interface Item {
  readonly name: string;
  readonly at: number | null;
  readonly bytes: number;
  readonly lives: readonly Life[] | null;
  readonly span: SourceSpan | undefined;
}

interface Life {
  readonly code: number;
  readonly first: number;
  readonly last: number;
}

interface Placed extends Item {
  readonly at: number;
}

/** A thing, and what it wrongly lies over. */
type Overlap = readonly [Placed, Placed];

interface Area {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** 15 */
export function checkMemory(program: KernelProgram, findings: Findings): void {
  const { memory, kv } = program;
  const lives = lifetimes(program);
  const buffers = program.buffers.map((buffer): Item => {
    const own = buffer.scope === 'scratch' ? lives.get(buffer.name) : undefined;
    return {
      name: `buffer ${quote(buffer.name)}`,
      at: buffer.at,
      bytes: bufferBytes(buffer, program),
      lives: own ?? null,
      span: buffer.span,
    };
  });
  const pool =
    kv === null
      ? []
      : [{ name: 'kv', at: kv.at, bytes: kv.pages * kv.slots * kv.width * 8, lives: null, span: program.span }];
  const weights = program.weights.map((weight): Item => {
    return {
      name: `weight ${quote(weight.name)}`,
      at: weight.at,
      bytes: weightBytes(weight),
      lives: null,
      span: weight.span,
    };
  });
  if (memory === null) {
    for (const { name, at, span } of [...buffers, ...pool, ...weights]) {
      if (at !== null) {
        report(findings, `${name} has an address, but the program no memory plan`, { name, span });
      }
    }
    return;
  }
  for (const message of planFaults(memory)) {
    report(findings, message, { name: 'memory', span: program.span });
  }
  const image = { name: 'weights', at: memory.weightsAt, bytes: memory.weightsBytes, lives: null, span: program.span };
  checkItems([...buffers, ...pool, image], { name: 'memory', from: 1, to: memory.total }, findings);
  checkItems(weights, { name: 'the weight image', from: 0, to: memory.weightsBytes }, findings);
}

function report(findings: Findings, message: string, subject: Subject): void {
  const help = 'leave out `memory` and every `at`, and plan-memory places everything';
  findings.add({ code: 'RC0530', message, help }, subject);
}

function planFaults({ weightsAt, weightsBytes, total }: MemoryPlan): readonly string[] {
  const faults: string[] = [];
  if (total % PAGE_BYTES !== 0 || total > MAX_BYTES) {
    faults.push(`the memory has ${total} bytes, expected a multiple of ${PAGE_BYTES} up to ${MAX_BYTES}`);
  }
  if (weightsAt + weightsBytes > total) {
    faults.push(`the weights end at ${weightsAt + weightsBytes}, the memory at ${total}`);
  }
  return faults;
}

/** All aligned, inside the area, and apart from what lives at the same time. */
function checkItems(items: readonly Item[], area: Area, findings: Findings): void {
  const placed: Placed[] = [];
  for (const item of items) {
    const { name, at, bytes, span } = item;
    if (at === null) report(findings, `${name} has no address`, { name, span });
    else if (!Number.isSafeInteger(at) || at % ALIGNMENT !== 0) {
      report(findings, `${name} lies at ${at}, expected a multiple of ${ALIGNMENT}`, { name, span });
    } else if (at < area.from || at + bytes > area.to) {
      report(findings, `${name} lies at ${at}..${at + bytes}, outside ${area.name}`, { name, span });
    } else placed.push({ ...item, at });
  }
  placed.sort((a, b) => a.at - b.at);
  for (const [item, under] of [...overFixed(placed), ...overScratch(placed)]) {
    report(findings, `${item.name} lies over ${under.name}`, { name: item.name, span: item.span });
  }
}

/** Of items in order of address: those that lie over one that always lives, or always live and lie over any. */
function overFixed(items: readonly Placed[]): readonly Overlap[] {
  const found: Overlap[] = [];
  // Those that reach furthest.
  let [any, fixed]: [Placed?, Placed?] = [];
  for (const item of items) {
    const under = item.lives === null ? any : fixed;
    if (under !== undefined && item.at < endOf(under)) found.push([item, under]);
    if (any === undefined || endOf(item) > endOf(any)) any = item;
    if (item.lives === null && (fixed === undefined || endOf(item) > endOf(fixed))) fixed = item;
  }
  return found;
}

/** Of items in order of address: those that live in some code together with one that they lie over. */
function overScratch(items: readonly Placed[]): readonly Overlap[] {
  const byCode = new Map<number, { readonly life: Life; readonly item: Placed }[]>();
  for (const item of items) {
    for (const life of item.lives ?? []) {
      const users = byCode.get(life.code) ?? [];
      users.push({ life, item });
      byCode.set(life.code, users);
    }
  }
  const overlapsOf = (users: readonly { readonly life: Life; readonly item: Placed }[]): readonly Overlap[] =>
    users.flatMap(({ life, item }, i): readonly Overlap[] => {
      for (let j = i + 1; j < users.length; j++) {
        const next = users[j];
        if (next === undefined || next.item.at >= endOf(item)) break;
        if (life.first <= next.life.last && next.life.first <= life.last) return [[next.item, item]];
      }
      return [];
    });
  const found = [...byCode.values()].flatMap(overlapsOf);
  return [...new Map(found.map((overlap) => [overlap[0], overlap])).values()];
}

function endOf({ at, bytes }: Placed): number {
  return at + bytes;
}

/** Scratch lives from the first to the last kernel that touches it, in each piece of code that does. */
function lifetimes({ bodies }: KernelProgram): ReadonlyMap<BufferName, readonly Life[]> {
  const lives = new Map<BufferName, Life[]>();
  for (const [code, kernels] of bodies.flatMap(({ kernels, fill }) => [kernels, fill]).entries()) {
    for (const [at, kernel] of kernels.entries()) {
      for (const name of touched(kernel)) {
        const known = lives.get(name) ?? [];
        const open = known.at(-1);
        if (open?.code === code) known[known.length - 1] = { ...open, last: at };
        else known.push({ code, first: at, last: at });
        lives.set(name, known);
      }
    }
  }
  return lives;
}

function touched({ out, inputs }: Kernel): readonly BufferName[] {
  const views = Object.values(inputs).filter(isView);
  return [...(out === null ? [] : [out]), ...views].map(({ buffer }) => buffer);
}
