/** @file Invariants 1–9 of networks: the header, and everything about names, operations and types. */
import { MAX_BLOCK, MAX_CONTEXT, MAX_HOPS } from '../limits.ts';
import { formatType, sameType } from '../ops/spec.ts';
import { DEFAULT_THRESHOLD } from '../routers.ts';
import type { Block, BlockId, Const, Network, Ref, Region, SourceSpan, TensorType } from '../types.ts';
import type { Findings, Subject } from './findings.ts';
import { inferredType, quote, signatureProblems, typeProblem, undefinedReads } from './op.ts';
import type { OpParts } from './op.ts';

/** 1 */
export function checkHeader(
  { context, routing, span }: Pick<Network, 'context' | 'routing' | 'span'>,
  findings: Findings,
): void {
  const subject = { name: 'header', span };
  const { maxHops, threshold = DEFAULT_THRESHOLD, anchors = 0 } = routing;
  for (const [name, value, least, most] of [
    ['context', context, 1, MAX_CONTEXT],
    ['max_hops', maxHops, 1, MAX_HOPS],
    ['anchors', anchors, 0, MAX_CONTEXT],
  ] as const) {
    if (Number.isInteger(value) && value >= least && value <= most) continue;
    findings.add(
      { code: 'RC0501', message: `${name} is ${value}, expected a whole number from ${least} to ${most}` },
      subject,
    );
  }
  if (threshold >= 0 && threshold <= 1) return;
  findings.add({ code: 'RC0501', message: `threshold is ${threshold}, expected a number from 0 to 1` }, subject);
}

/** 2 */
export function checkBlockOrder(
  blocks: readonly { readonly id: BlockId; readonly span?: SourceSpan }[],
  findings: Findings,
): void {
  let last = -1;
  for (const { id, span } of blocks) {
    const subject = { name: `block ^${id}`, span };
    if (!Number.isInteger(id) || id < 0 || id > MAX_BLOCK) {
      findings.add(
        { code: 'RC0502', message: `${id} is not a block number, expected a whole number from 0 to ${MAX_BLOCK}` },
        subject,
      );
    } else if (id <= last) {
      findings.add(
        { code: 'RC0502', message: `block ^${id} stands after block ^${last}, expected ascending distinct numbers` },
        subject,
      );
    }
    last = Math.max(last, id);
  }
}

/** A region, and what it is called in findings. */
export interface NamedRegion {
  readonly name: string;
  readonly region: Region;
  readonly role: 'entry' | 'hub' | 'gate' | Block['role'] | 'exit';
}

export function namedRegions({ entry, hub, blocks, exit }: Network): readonly NamedRegion[] {
  return [
    { name: 'entry', region: entry, role: 'entry' },
    ...(hub === undefined ? [] : [{ name: 'hub', region: hub, role: 'hub' as const }]),
    ...blocks.flatMap(({ id, role, gate, body }): readonly NamedRegion[] => [
      ...(gate === undefined ? [] : [{ name: `gate ^${id}`, region: gate, role: 'gate' as const }]),
      { name: `block ^${id}`, region: body, role },
    ]),
    { name: 'exit', region: exit, role: 'exit' },
  ];
}

/** 3–9 */
export function checkDefinitions(network: Network, findings: Findings): void {
  const globals = checkConsts(network.consts, network.context, findings);
  for (const named of namedRegions(network)) checkRegion(named, globals, network.context, findings);
}

/** 3–9 of constants; gives their types. */
export function checkConsts(
  consts: readonly Const[],
  context: number,
  findings: Findings,
): ReadonlyMap<Ref, TensorType> {
  const types = new Map<Ref, TensorType>();
  for (const constant of consts) {
    const { name, type, span } = constant;
    const subject = { name: `const ${quote(name)}`, span };
    if (types.has(name)) findings.add({ code: 'RC0503', message: `${quote(name)} is defined twice` }, subject);
    checkOp({ ...constant, extras: {} }, type, 'const', (ref) => types.get(ref), context, subject, findings);
    types.set(name, type);
  }
  return types;
}

function checkRegion(
  { name, region }: NamedRegion,
  globals: ReadonlyMap<Ref, TensorType>,
  context: number,
  findings: Findings,
): void {
  const types = new Map<Ref, TensorType>();
  const define = (ref: Ref, type: TensorType, subject: Subject): void => {
    if (types.has(ref)) findings.add({ code: 'RC0503', message: `${quote(ref)} is defined twice` }, subject);
    types.set(ref, type);
  };
  for (const param of region.params) {
    const subject = { name: `${name}, ${quote(param.name)}`, span: param.span };
    define(param.name, param.type, subject);
    const problem = typeProblem(quote(param.name), param.type, context);
    if (problem !== undefined) findings.add(problem, subject);
  }
  for (const op of region.ops) {
    const subject = { name: `${name}, ${quote(op.result)}`, span: op.span };
    checkOp(op, op.type, 'region', (ref) => types.get(ref) ?? globals.get(ref), context, subject, findings);
    define(op.result, op.type, subject);
  }
  if (types.has(region.result)) return;
  findings.add(
    { code: 'RC0505', message: `${name} yields a value that is not defined in it: ${quote(region.result)}` },
    { name, span: region.yieldSpan },
  );
}

/** 4–9 of one op. */
function checkOp(
  op: OpParts,
  type: TensorType,
  place: 'const' | 'region',
  typeOf: (ref: Ref) => TensorType | undefined,
  context: number,
  subject: Subject,
  findings: Findings,
): void {
  const problems = [...undefinedReads(op, (ref) => typeOf(ref) !== undefined), ...signatureProblems(op, place)];
  for (const problem of problems) findings.add(problem, subject);
  const wrongSize = typeProblem(op.kind, type, context);
  if (wrongSize !== undefined) findings.add(wrongSize, subject);
  if (problems.length > 0 || wrongSize !== undefined) return;
  const inferred = inferredType(op, (ref) => typeOf(ref) ?? type, type);
  if (!('shape' in inferred)) findings.add(inferred, subject);
  else if (!sameType(inferred, type)) {
    findings.add(
      {
        code: 'RC0509',
        message: `${op.kind} is written as ${formatType(type)}, but gives ${formatType(inferred)}`,
        help: `write ${formatType(inferred)}, or leave the type out`,
      },
      subject,
    );
  }
}
