/** @file Invariants 6–11, 22 and 23 of kernel programs: the code of bodies. */
import { HOPS, IDS, POSITIONS } from '../kernel/control.ts';
import { kernelSpecs } from '../kernel/table.ts';
import type { KernelKind } from '../kernel/table.ts';
import { isView, routerInstances } from '../kernel/types.ts';
import type { Body, Buffer, BufferName, Formal, Input, Kernel, KernelProgram, View } from '../kernel/types.ts';
import { MAX_KERNELS } from '../limits.ts';
import type { Global } from '../types.ts';
import type { Findings, Subject } from './findings.ts';
import { entryFaults } from './kernel-entries.ts';
import { shapeFault } from './kernel-shapes.ts';
import { checkLeft, checkReads, usesOf, Written } from './kernel-written.ts';
import { attrProblems, didYouMean, quote } from './op.ts';

/** Inputs that hold whole numbers, and where these lie: what else is i32 is not for bodies. */
const integerInputs: ReadonlySet<string> = new Set(['ids', 'positions']);
const integerBuffers: ReadonlySet<BufferName> = new Set([IDS, POSITIONS, HOPS]);

interface Scope {
  readonly buffers: ReadonlyMap<BufferName, Buffer>;
  readonly formals: ReadonlyMap<Global, Formal>;
  readonly findings: Findings;
}

/** 6–11, 22, 23 */
export function checkBodies(program: KernelProgram, findings: Findings): void {
  const buffers = new Map(program.buffers.map((buffer) => [buffer.name, buffer]));
  const attention = new Set(program.blocks.filter(({ role }) => role === 'attention').map(({ body }) => body));
  const others = new Set(
    [
      program.entry,
      ...routerInstances(program),
      ...program.blocks.filter(({ role }) => role === 'mlp'),
      program.exit,
    ].map(({ body }) => body),
  );
  const uses = usesOf(program);
  for (const body of program.bodies) {
    const use = uses.get(body.name);
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
    const written = new Written(use);
    checkCode(name, body.kernels, written, { buffers, formals, findings });
    checkCode(`${name}, fill`, body.fill, new Written(use), { buffers, formals, findings });
    checkLeft(written, { name, span: body.span }, findings);
    if (attention.has(body.name)) {
      for (const message of attentionFaults(body, program)) fault('RC0527', message);
      for (const problem of entryFaults(body, program, buffers)) findings.add(problem, { name, span: body.span });
    }
    if (
      others.has(body.name) &&
      [...body.kernels, ...body.fill].some(({ kind }) => kind === 'append' || kind === 'attend')
    ) {
      fault('RC0527', 'it is used outside attention blocks, but touches the KV cache');
    }
  }
}

/** 6–10 of one list of kernels. */
function checkCode(name: string, kernels: readonly Kernel[], written: Written, scope: Scope): void {
  for (const [i, kernel] of kernels.entries()) {
    const subject = { name: `${name}, kernel ${i + 1} (${kernel.kind})`, span: kernel.span };
    if (checkInputs(kernel, subject, scope) && checkViews(kernel, subject, scope)) {
      const wrong = shapeFault(kernel, scope.formals);
      if (wrong !== undefined) scope.findings.add({ code: 'RC0524', message: `${kernel.kind}: ${wrong}` }, subject);
      checkReads(kernel, written, subject, scope);
      checkOverlap(kernel, subject, scope);
    }
    written.note(kernel);
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
  if (isView(input)) {
    if (!integerInputs.has(name)) return viewFault(input, 'f32', buffers);
    const fault = viewFault(input, 'i32', buffers);
    if (fault !== undefined || integerBuffers.has(input.buffer)) return fault;
    return [`${name} is read from ${quote(input.buffer)}, expected ${IDS}, ${POSITIONS} or ${HOPS}`];
  }
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

/** 10 */
function checkOverlap({ kind, out, inputs }: Kernel, subject: Subject, { findings }: Scope): void {
  if (out === null) return;
  for (const [name, input] of Object.entries(inputs)) {
    if (!isView(input) || input.buffer !== out.buffer) continue;
    const apart = input.from + input.columns <= out.from || out.from + out.columns <= input.from;
    const same = input.from === out.from && input.columns === out.columns && input.routed === out.routed;
    if (apart || (same && kernelSpecs[kind].inPlace?.includes(name) === true)) continue;
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
