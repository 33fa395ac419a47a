/** @file What the op table says about one operation: used by the verifiers, and by the parser where a type is omitted. */
import type { DiagnosticCode } from '../diagnostics/diagnostic.ts';
import { nearest } from '../diagnostics/diagnostic.ts';
import { formatType } from '../ops/spec.ts';
import type { AttrSpec } from '../ops/spec.ts';
import { opSpecs } from '../ops/table.ts';
import type { OpKind } from '../ops/table.ts';
import type { Attr, Attrs, Ref, TensorType } from '../types.ts';

export interface Problem {
  readonly code: DiagnosticCode;
  readonly message: string;
  readonly help?: string;
}

/** What constants and ops have in common; constants have no extras. */
export interface OpParts {
  readonly kind: OpKind;
  readonly operands: readonly Ref[];
  readonly extras: Readonly<Record<string, Ref>>;
  readonly attrs: Attrs;
}

/** Reads of values that are not there (RC0505). */
export function undefinedReads(op: OpParts, isDefined: (ref: Ref) => boolean): readonly Problem[] {
  return [...op.operands, ...Object.values(op.extras)]
    .filter((ref) => !isDefined(ref))
    .map((ref) => ({ code: 'RC0505', message: `${op.kind} uses a value that is not defined above it: ${quote(ref)}` }));
}

/** Place (RC0504), operands and extras (RC0506), attributes (RC0507). */
export function signatureProblems(op: OpParts, place: 'const' | 'region'): readonly Problem[] {
  const spec = opSpecs[op.kind];
  const problems: Problem[] = [];
  if (spec.place !== 'any' && spec.place !== place) {
    const allowed = spec.place === 'const' ? 'in constants' : 'in regions';
    problems.push({ code: 'RC0504', message: `${op.kind} may stand only ${allowed}` });
  }
  const variadic = spec.operands.at(-1)?.endsWith('…') ?? false;
  const [found, expected] = [op.operands.length, spec.operands.length];
  if (variadic ? found < expected : found !== expected) {
    const names = expected === 0 ? '' : ` (${spec.operands.join(', ')})`;
    problems.push({
      code: 'RC0506',
      message: `${op.kind} has ${found} operands, expected ${expected}${variadic ? ' or more' : ''}${names}`,
      ...(spec.extras !== undefined && { help: `optional operands have a label: ${spec.extras.join(', ')}` }),
    });
  }
  const known = spec.extras ?? [];
  for (const name of Object.keys(op.extras)) {
    if (!known.includes(name)) {
      problems.push({
        code: 'RC0506',
        message: `${op.kind} has no optional operand ${quote(name)}`,
        ...didYouMean(name, known),
      });
    }
  }
  return [...problems, ...attrProblems('RC0507', op.kind, op.attrs, spec.attrs ?? {})];
}

/** Compares `attrs` with what `specs` says of them. */
export function attrProblems(
  code: DiagnosticCode,
  subject: string,
  attrs: Attrs,
  specs: Readonly<Record<string, AttrSpec>>,
): readonly Problem[] {
  const problems: Problem[] = [];
  for (const [name, value] of Object.entries(attrs)) {
    const spec = Object.hasOwn(specs, name) ? specs[name] : undefined;
    if (spec === undefined) {
      problems.push({
        code,
        message: `${subject} has no attribute ${quote(name)}`,
        ...didYouMean(name, Object.keys(specs)),
      });
      continue;
    }
    const wrong = wrongValue(value, spec);
    if (wrong !== undefined) problems.push({ code, message: `${name} of ${subject} ${wrong}` });
  }
  for (const [name, spec] of Object.entries(specs)) {
    if (spec.optional !== true && !Object.hasOwn(attrs, name)) {
      problems.push({ code, message: `${subject} needs the attribute ${name}` });
    }
  }
  return problems;
}

function wrongValue(value: Attr, spec: AttrSpec): string | undefined {
  const shown = clip(JSON.stringify(value));
  switch (spec.type) {
    case 'boolean':
      return typeof value === 'boolean' ? undefined : `is ${shown}, expected true or false`;
    case 'string':
      if (typeof value !== 'string') return `is ${shown}, expected a string`;
      if (spec.oneOf === undefined || spec.oneOf.includes(value)) return undefined;
      return `is ${shown}, expected ${spec.oneOf.map((word) => JSON.stringify(word)).join(' or ')}`;
    case 'numbers':
      if (typeof value !== 'object') return `is ${shown}, expected a list of numbers`;
      return value.every((item) => Number.isFinite(item)) ? undefined : 'holds a number that is not finite';
    case 'number': {
      if (typeof value !== 'number') return `is ${shown}, expected a number`;
      const wanted = spec.integer === true ? 'a whole number' : 'a finite number';
      const fits = spec.integer === true ? Number.isSafeInteger(value) : Number.isFinite(value);
      if (!fits) return `is ${value}, expected ${wanted}`;
      return spec.min !== undefined && value < spec.min ? `is ${value}, expected at least ${spec.min}` : undefined;
    }
  }
}

/** The type that the table infers; a problem (RC0509) where it finds fault. The signature must be right and operands defined. */
export function inferredType(
  op: OpParts,
  typeOf: (ref: Ref) => TensorType,
  declared: TensorType | undefined,
): TensorType | Problem {
  const operands = op.operands.map(typeOf);
  const extras = Object.fromEntries(Object.entries(op.extras).map(([name, ref]) => [name, typeOf(ref)]));
  const type = opSpecs[op.kind].infer({ operands, extras, attrs: op.attrs, declared });
  return typeof type === 'string' ? { code: 'RC0509', message: `${op.kind}: ${type}` } : type;
}

/** Sizes of at least 1, `tokens` only first, no more than `MAX_ELEMENTS` (RC0508). */
export function typeProblem(subject: string, type: TensorType, rows: number): Problem | undefined {
  const code = 'RC0508';
  const shown = clip(formatType(type));
  if (type.shape.length > MAX_RANK) {
    return { code, message: `${subject} has rank ${type.shape.length}, the highest is ${MAX_RANK}` };
  }
  if (type.shape.lastIndexOf('tokens') > 0) {
    return { code, message: `${subject} is ${shown}: only the first size may be \`tokens\`` };
  }
  let count = 1;
  for (const dim of type.shape) {
    if (dim !== 'tokens' && !(Number.isSafeInteger(dim) && dim >= 1)) {
      return { code, message: `${subject} is ${shown}: ${dim} is not a size of at least 1` };
    }
    count *= dim === 'tokens' ? rows : dim;
  }
  return count <= MAX_ELEMENTS ? undefined : { code, message: `${subject} is ${shown}: too large` };
}

const MAX_RANK = 8;
const MAX_ELEMENTS = 2 ** 36;

/** `{ help: 'did you mean …?' }` or nothing. */
export function didYouMean(word: string, known: readonly string[]): { readonly help?: string } {
  const near = word.length > 64 ? undefined : nearest(word, known);
  return near === undefined ? {} : { help: `did you mean \`${near}\`?` };
}

/** A word from others, fit for a message: one line, not long. */
export function quote(word: string): string {
  return /^[%@$#^]?[\w.\-/$]{1,60}$/.test(word) ? word : clip(JSON.stringify(word));
}

/** At most 60 characters. */
export function clip(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 57)}…`;
}
