/** @file What the schemas of the families share: kinds of fields, and how their faults become diagnostics. */
import { basename } from 'node:path';
import * as z from 'zod';
import { fail, RadialError } from '../../../ir/diagnostics/diagnostic.ts';
import type { Diagnostic, DiagnosticCode } from '../../../ir/diagnostics/diagnostic.ts';
import type { Activation } from '../../../ir/index.ts';
import { isJsonObject } from '../json.ts';
import type { JsonDocument, JsonPath, JsonValue } from '../json.ts';
import { quote } from '../quote.ts';

const MAX_SIZE = 1 << 24;
const MAX_LAYERS = 10_000;

/** An integer from 1 to `most`. */
export function size(most = MAX_SIZE): z.ZodType<number> {
  const error = `must be an integer from 1 to ${most}`;
  return z.int({ error }).min(1, { error }).max(most, { error });
}

export function layerCount(): z.ZodType<number> {
  return size(MAX_LAYERS);
}

/** What a norm adds to the variance. */
export function epsilon(): z.ZodType<number> {
  return numberFrom(0, 1);
}

export function numberFrom(least: number, most: number): z.ZodType<number> {
  const error = `must be a number from ${least} to ${most}`;
  return z.number({ error }).min(least, { error }).max(most, { error });
}

export function flag(): z.ZodType<boolean> {
  return z.boolean({ error: 'must be true or false' });
}

export function word(): z.ZodType<string> {
  return z.string({ error: 'must be a string' });
}

const tokenId = z.int({ error: 'must be a token id' });

/** One id, a list of them, or null. */
export const tokenIds = z.union([tokenId, z.array(tokenId), z.null()], {
  error: 'must be a token id, a list of them, or null',
});

/** The ids of `given` that are in the vocabulary, each once. */
export function idsInVocabulary(given: number | readonly number[] | null, vocab: number): readonly number[] {
  const ids = given === null ? [] : typeof given === 'number' ? [given] : given;
  return [...new Set(ids.filter((id) => id >= 0 && id < vocab))];
}

/**
 * Reads the fields of a schema from an object of the document; each fault becomes a diagnostic with its place.
 * @param within - where the object is in the document
 * @throws RadialError RC0204
 */
export function readFields<T>(document: JsonDocument, schema: z.ZodType<T>, within: JsonPath = []): T {
  const result = schema.safeParse(valueAt(document.value, within));
  if (result.success) return result.data;
  const seen = new Set<string>();
  const diagnostics: Diagnostic[] = [];
  for (const issue of result.error.issues) {
    const path = [...within, ...issue.path];
    const field = path.map(String).join('.');
    if (seen.has(field)) continue;
    seen.add(field);
    const found = valueAt(document.value, path);
    diagnostics.push({
      code: 'RC0204',
      severity: 'error',
      message: `${field} ${issue.message}, found ${show(found)}`,
      place: document.place(path),
      help:
        found === undefined
          ? `add ${field}; there is no default for it here`
          : `correct the value; the ${basename(document.file)} that came with the weights has a sound one`,
    });
  }
  throw new RadialError(diagnostics);
}

/** Ends with a diagnostic about one field. */
export function refuse(
  document: JsonDocument,
  code: DiagnosticCode,
  path: JsonPath,
  message: string,
  help: string,
): never {
  return fail(code, message, { place: document.place(path), help });
}

/** A field's name and its number. */
export type NamedSize = readonly [name: string, value: number];

/** Ends with RC0205 unless `part` divides `whole`. */
export function mustDivide(document: JsonDocument, part: NamedSize, whole: NamedSize): void {
  if (whole[1] % part[1] === 0) return;
  refuse(
    document,
    'RC0205',
    [part[0]],
    `${part[0]} ${part[1]} does not divide ${whole[0]} ${whole[1]}`,
    'one of the two is wrong, or left out and not what is the default; compare with the shapes of the weights',
  );
}

/** Hugging Face's names of activations that the compiler has. */
const activations: ReadonlyMap<string, Activation> = new Map<string, Activation>([
  ['relu', 'relu'],
  ['gelu', 'gelu'],
  ['gelu_new', 'gelu_tanh'],
  ['gelu_fast', 'gelu_tanh'],
  ['gelu_pytorch_tanh', 'gelu_tanh'],
  ['silu', 'silu'],
  ['swish', 'silu'],
  ['tanh', 'tanh'],
]);

/** The activation that the field `field` names. */
export function readActivation(document: JsonDocument, field: string, name: string): Activation {
  const activation = activations.get(name);
  if (activation !== undefined) return activation;
  return refuse(
    document,
    'RC0206',
    [field],
    `the activation ${quote(name)} is not supported`,
    `supported: ${[...activations.keys()].join(', ')}`,
  );
}

/**
 * Refuses options that would change the mathematics: each field must be absent, null or one of its harmless values.
 * @throws RadialError RC0208
 */
export function refuseOptions(
  document: JsonDocument,
  harmless: Readonly<Record<string, readonly JsonValue[]>>,
  within: JsonPath = [],
): void {
  for (const [field, values] of Object.entries(harmless)) {
    const value = valueAt(document.value, [...within, field]);
    if (!isGiven(value) || values.includes(value)) continue;
    refuse(
      document,
      'RC0208',
      [...within, field],
      `${field} ${show(value)} is not supported`,
      `a model that was trained with it cannot be compiled; supported: ${[null, ...values].map(show).join(', ')}`,
    );
  }
}

/** Whether a field is there and not null. */
export function isGiven(value: JsonValue | undefined): value is Exclude<JsonValue, null> {
  return value !== undefined && value !== null;
}

/** The value at a path, or undefined. */
export function valueAt(value: JsonValue, path: JsonPath): JsonValue | undefined {
  let current: JsonValue | undefined = value;
  for (const step of path) {
    if (isJsonObject(current)) current = current[String(step)];
    else if (Array.isArray(current)) current = (current as readonly JsonValue[])[Number(step)];
    else return undefined;
  }
  return current;
}

/** A value for a message, shortened. */
export function show(value: JsonValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return quote(value);
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}
