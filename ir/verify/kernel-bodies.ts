/** @file Invariants 6–11 of kernel programs: the code of bodies. */
import { kernelSpecs } from '../kernel/table.ts';
import type { KernelKind } from '../kernel/table.ts';
import { isView } from '../kernel/types.ts';
import type { Body, Buffer, BufferName, Formal, Input, Kernel, KernelProgram, View } from '../kernel/types.ts';
import type { Global } from '../types.ts';
import type { Findings, Subject } from './findings.ts';
import { shapeFault } from './kernel-shapes.ts';
import { attrProblems, didYouMean, quote } from './op.ts';

/** More than any model needs; keeps verification quick. */
const MAX_KERNELS = 10_000;

/** Inputs that the output may lie over. */
const inPlace: Readonly<Record<KernelKind, readonly string[]>> = {
  embed: [],
  linear: ['residual'],
  norm: ['x'],
  unary: ['x'],
  binary: ['a', 'b'],
  scale: ['x'],
  copy: [],
  prepend: [],
  select: [],
  patchify: [],
  rope: ['x'],
  append: [],
  attend: [],
  probe: [],
};

/** Inputs that hold whole numbers. */
const integerInputs: ReadonlySet<string> = new Set(['ids', 'positions']);

interface Scope {
  readonly buffers: ReadonlyMap<BufferName, Buffer>;
  readonly formals: ReadonlyMap<Global, Formal>;
  readonly findings: Findings;
}

/** 6–11 */
export function checkBodies(program: KernelProgram, findings: Findings): void {
  const buffers = new Map(program.buffers.map((buffer) => [buffer.name, buffer]));
  const attention = new Set(program.blocks.filter(({ role }) => role === 'attention').map(({ body }) => body));
  const others = new Set(
    [program.entry, ...program.blocks.filter(({ role }) => role === 'mlp'), program.exit].map(({ body }) => body),
  );
  for (const body of program.bodies) {
    const name = `body ${quote(`#${body.name}`)}`;
    const formals = new Map(body.formals.map((formal) => [formal.name, formal]));
    const fault = (code: 'RC0503' | 'RC0527', message: string): void => {
      findings.add({ code, message }, { name, span: body.span });
    };
    if (formals.size < body.formals.length) fault('RC0503', 'two formals have the same name');
    if (body.kernels.length + body.fill.length > MAX_KERNELS) {
      fault('RC0527', `it has ${body.kernels.length + body.fill.length} kernels, at most ${MAX_KERNELS} are allowed`);
      continue;
    }
    checkCode(name, body.kernels, { buffers, formals, findings });
    checkCode(`${name}, fill`, body.fill, { buffers, formals, findings });
    if (attention.has(body.name)) for (const message of attentionFaults(body, program)) fault('RC0527', message);
    if (
      others.has(body.name) &&
      [...body.kernels, ...body.fill].some(({ kind }) => kind === 'append' || kind === 'attend')
    ) {
      fault('RC0527', 'it is used outside attention blocks, but touches the KV cache');
    }
  }
}

/** 6–10 of one list of kernels. */
function checkCode(name: string, kernels: readonly Kernel[], scope: Scope): void {
  const written = new Map<BufferName, readonly Range[]>();
  for (const [i, kernel] of kernels.entries()) {
    const subject = { name: `${name}, kernel ${i + 1} (${kernel.kind})`, span: kernel.span };
    const isSound = checkInputs(kernel, subject, scope) && checkViews(kernel, subject, scope);
    if (!isSound) continue;
    const wrong = shapeFault(kernel, scope.formals);
    if (wrong !== undefined) scope.findings.add({ code: 'RC0524', message: `${kernel.kind}: ${wrong}` }, subject);
    checkWritten(kernel, written, subject, scope);
    checkOverlap(kernel, subject, scope);
  }
}

/** 6 */
function checkInputs({ kind, out, inputs, attrs }: Kernel, subject: Subject, { findings }: Scope): boolean {
  const spec = kernelSpecs[kind];
  const faults: { message: string; help?: string }[] = [];
  if (spec.out !== (out !== null)) {
    faults.push({ message: `${kind} ${spec.out ? 'needs an output' : 'has no output'}` });
  }
  for (const [name, input] of Object.entries(inputs)) {
    const wanted = Object.hasOwn(spec.inputs, name) ? spec.inputs[name]?.from : undefined;
    const found = isView(input) ? 'view' : 'weight';
    if (wanted === undefined) {
      faults.push({ message: `${kind} has no input ${quote(name)}`, ...didYouMean(name, Object.keys(spec.inputs)) });
    } else if (wanted !== 'either' && wanted !== found) {
      faults.push({ message: `${name} of ${kind} is a ${found}, expected a ${wanted}` });
    }
  }
  for (const [name, { optional }] of Object.entries(spec.inputs)) {
    if (optional !== true && !Object.hasOwn(inputs, name)) faults.push({ message: `${kind} needs the input ${name}` });
  }
  for (const fault of faults) findings.add({ code: 'RC0522', ...fault }, subject);
  const wrongAttrs = attrProblems('RC0507', kind, attrs, spec.attrs ?? {});
  for (const problem of wrongAttrs) findings.add(problem, subject);
  return faults.length === 0 && wrongAttrs.length === 0;
}

/** 7 */
function checkViews({ out, inputs }: Kernel, subject: Subject, { buffers, formals, findings }: Scope): boolean {
  const faults = Object.entries(inputs).flatMap(([name, input]) => inputFault(name, input, buffers, formals) ?? []);
  if (out !== null) faults.push(...(viewFault(out, 'f32', buffers) ?? []));
  for (const message of faults) findings.add({ code: 'RC0523', message }, subject);
  return faults.length === 0;
}

function inputFault(
  name: string,
  input: Input,
  buffers: ReadonlyMap<BufferName, Buffer>,
  formals: ReadonlyMap<Global, Formal>,
): readonly string[] | undefined {
  if (isView(input)) return viewFault(input, integerInputs.has(name) ? 'i32' : 'f32', buffers);
  return formals.has(input.weight) ? undefined : [`${quote(input.weight)} is not a formal of the body`];
}

function viewFault(
  { buffer, from, columns }: View,
  dtype: Buffer['dtype'],
  buffers: ReadonlyMap<BufferName, Buffer>,
): readonly string[] | undefined {
  const found = buffers.get(buffer);
  if (found === undefined) return [`there is no buffer ${quote(buffer)}`];
  if (found.dtype !== dtype) return [`${quote(buffer)} holds ${found.dtype}, expected ${dtype}`];
  if (from >= 0 && columns >= 1 && from + columns <= found.columns) return undefined;
  return [`columns ${from}..${from + columns} are not a part of ${quote(buffer)}, which has ${found.columns}`];
}

interface Range {
  readonly from: number;
  readonly to: number;
}

/** 9; notes what the kernel writes. */
function checkWritten(
  kernel: Kernel,
  written: Map<BufferName, readonly Range[]>,
  subject: Subject,
  { buffers, findings }: Scope,
): void {
  for (const input of Object.values(kernel.inputs)) {
    if (!isView(input) || buffers.get(input.buffer)?.scope !== 'scratch') continue;
    const range = { from: input.from, to: input.from + input.columns };
    if ((written.get(input.buffer) ?? []).some((whole) => whole.from <= range.from && range.to <= whole.to)) continue;
    findings.add(
      {
        code: 'RC0525',
        message: `columns ${range.from}..${range.to} of ${quote(input.buffer)} are read before they are written`,
      },
      subject,
    );
  }
  if (kernel.out === null) return;
  const { buffer, from, columns } = kernel.out;
  written.set(buffer, withRange(written.get(buffer) ?? [], { from, to: from + columns }));
}

/** The ranges and a new one, joined where they touch. */
function withRange(ranges: readonly Range[], range: Range): readonly Range[] {
  const touching = ranges.filter(({ from, to }) => from <= range.to && range.from <= to);
  const joined = {
    from: Math.min(range.from, ...touching.map(({ from }) => from)),
    to: Math.max(range.to, ...touching.map(({ to }) => to)),
  };
  return [...ranges.filter((other) => !touching.includes(other)), joined];
}

/** 10 */
function checkOverlap({ kind, out, inputs }: Kernel, subject: Subject, { findings }: Scope): void {
  if (out === null) return;
  for (const [name, input] of Object.entries(inputs)) {
    if (!isView(input) || input.buffer !== out.buffer) continue;
    const apart = input.from + input.columns <= out.from || out.from + out.columns <= input.from;
    const same = input.from === out.from && input.columns === out.columns && input.routed === out.routed;
    if (apart || (same && inPlace[kind].includes(name))) continue;
    findings.add({ code: 'RC0526', message: `the output of ${kind} lies over ${name}` }, subject);
  }
}

/** 11 */
function attentionFaults({ kernels, fill }: Body, { routing }: KernelProgram): readonly string[] {
  const faults: string[] = [];
  const at = (kind: KernelKind): readonly number[] => kernels.flatMap((kernel, i) => (kernel.kind === kind ? [i] : []));
  const [appends, attends] = [at('append'), at('attend')];
  if (appends.length !== 1 || attends.length !== 1 || (appends[0] ?? 0) > (attends[0] ?? 0)) {
    faults.push(
      `an attention block appends once, then attends once; found ${appends.length} append, ${attends.length} attend`,
    );
  }
  const touching = [...kernels, ...fill].filter(({ kind }) => kind === 'append' || kind === 'attend');
  const heads = new Set(touching.map(({ attrs }) => `${String(attrs['kv_heads'])} × ${String(attrs['head_dim'])}`));
  if (heads.size > 1) faults.push(`its kernels speak of different KV heads: ${[...heads].join(' and ')}`);
  if (fill.length === 0) return faults;
  if (routing.kv !== 'project') faults.push(`it has a fill, but the KV policy is ${routing.kv}`);
  if (
    fill.findIndex(({ kind }) => kind === 'append') !== fill.length - 1 ||
    fill.some(({ kind }) => kind === 'attend')
  ) {
    faults.push('its fill does not append once, at its end');
  }
  return faults;
}
