/** @file Reads fields of parsed JSON from a stranger; whatever is not as expected ends in RC0803. */
import { fail } from './errors.ts';
import type { ErrorDetails } from './errors.ts';
import { MANIFEST_FILE } from './manifest.ts';

/** A JSON value and its name, such as `program.shapes.hidden`. */
export interface Field {
  readonly value: unknown;
  readonly path: string;
}

/** The fields of an object that has exactly these names; one of `optional` that is not there has the value undefined. */
export function readObject<Name extends string>(
  field: Field,
  names: readonly Name[],
  optional: readonly Name[] = [],
): Readonly<Record<Name, Field>> {
  const { value, path } = field;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse(field, 'an object');
  const values = new Map<string, unknown>(Object.entries(value));
  const extra = [...values.keys()].find((key) => !names.some((name) => name === key));
  if (extra !== undefined) fail('RC0803', `there is no field ${JSON.stringify(extra.slice(0, 80))}`, detailsOf(path));
  const fields: Partial<Record<Name, Field>> = {};
  for (const name of names) {
    const inner = path === '' ? name : `${path}.${name}`;
    if (!values.has(name) && !optional.includes(name)) fail('RC0803', 'the field is missing', detailsOf(inner));
    fields[name] = { value: values.get(name), path: inner };
  }
  return fields as Readonly<Record<Name, Field>>;
}

/** An integer in [min, max]. */
export function readInteger(field: Field, min: number, max: number): number {
  const { value } = field;
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max && !Object.is(value, -0)) {
    return value;
  }
  return refuse(field, `a whole number from ${min} to ${max}`);
}

/** A finite number. */
export function readNumber(field: Field, min: number, max: number): number {
  const { value } = field;
  if (typeof value === 'number' && value >= min && value <= max) return value;
  return refuse(field, `a number from ${min} to ${max}`);
}

export function readBoolean(field: Field): boolean {
  return typeof field.value === 'boolean' ? field.value : refuse(field, 'true or false');
}

/** A string of at most `longest` UTF-16 code units. */
export function readString(field: Field, longest: number): string {
  const { value } = field;
  if (typeof value === 'string' && value.length <= longest) return value;
  return refuse(field, `a string of at most ${longest} characters`);
}

export function readWord<const Word extends string | number>(field: Field, words: readonly Word[]): Word {
  const found = words.find((word) => word === field.value);
  return found ?? refuse(field, words.map((word) => JSON.stringify(word)).join(' or '));
}

/** Each item of an array of at most `longest`. */
export function readList<T>(field: Field, longest: number, item: (field: Field, index: number) => T): readonly T[] {
  const { value, path } = field;
  if (!Array.isArray(value)) return refuse(field, 'an array');
  if (value.length > longest) {
    fail('RC0803', `has ${value.length} items, at most ${longest} are possible`, detailsOf(path));
  }
  return value.map((inner: unknown, index) => item({ value: inner, path: `${path}[${index}]` }, index));
}

export function readNullable<T>(field: Field, inner: (field: Field) => T): T | null {
  return field.value === null ? null : inner(field);
}

export function refuse({ value, path }: Field, expected: string): never {
  const text = JSON.stringify(value, (key, inner: unknown) => (key !== '' && typeof inner === 'object' ? '…' : inner));
  const found = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  return fail('RC0803', `expected ${expected}, found ${found}`, detailsOf(path));
}

function detailsOf(path: string): ErrorDetails {
  return {
    place: { file: MANIFEST_FILE, subject: `field "${path}"` },
    help: 'compile the artifact again, or copy it again from its source; it cannot be edited',
  };
}
