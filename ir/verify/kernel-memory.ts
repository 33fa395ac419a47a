/** @file Invariant 15 of kernel programs: addresses. */
import { ALIGNMENT, bufferBytes, isView, weightBytes } from '../kernel/types.ts';
import type { BufferName, Kernel, KernelProgram, MemoryPlan } from '../kernel/types.ts';
import type { SourceSpan } from '../types.ts';
import type { Findings } from './findings.ts';
import { quote } from './op.ts';

const PAGE_BYTES = 65_536;
const MAX_BYTES = 2 ** 32;

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
        findings.add(
          { code: 'RC0530', message: `${name} has an address, but the program no memory plan` },
          { name, span },
        );
      }
    }
    return;
  }
  for (const message of planFaults(memory)) {
    findings.add({ code: 'RC0530', message }, { name: 'memory', span: program.span });
  }
  const image = { name: 'weights', at: memory.weightsAt, bytes: memory.weightsBytes, lives: null, span: program.span };
  checkItems([...buffers, ...pool, image], { name: 'memory', from: 1, to: memory.total }, findings);
  checkItems(weights, { name: 'the weight image', from: 0, to: memory.weightsBytes }, findings);
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
  const placed: (Item & { readonly at: number })[] = [];
  for (const item of items) {
    const { name, at, bytes, span } = item;
    if (at === null) findings.add({ code: 'RC0530', message: `${name} has no address` }, { name, span });
    else if (!Number.isSafeInteger(at) || at % ALIGNMENT !== 0) {
      findings.add(
        { code: 'RC0530', message: `${name} lies at ${at}, expected a multiple of ${ALIGNMENT}` },
        { name, span },
      );
    } else if (at < area.from || at + bytes > area.to) {
      findings.add(
        { code: 'RC0530', message: `${name} lies at ${at}..${at + bytes}, outside ${area.name}` },
        { name, span },
      );
    } else placed.push({ ...item, at });
  }
  placed.sort((a, b) => a.at - b.at);
  for (const [i, item] of placed.entries()) {
    for (let j = i + 1; j < placed.length; j++) {
      const other = placed[j];
      if (other === undefined || other.at >= item.at + item.bytes) break;
      if (!liveTogether(item.lives, other.lives)) continue;
      findings.add(
        { code: 'RC0530', message: `${other.name} lies over ${item.name}` },
        { name: other.name, span: other.span },
      );
      break;
    }
  }
}

function liveTogether(a: readonly Life[] | null, b: readonly Life[] | null): boolean {
  if (a === null || b === null) return true;
  return a.some((one) => b.some((two) => one.code === two.code && one.first <= two.last && two.first <= one.last));
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
