/**
 * @file The rotary positions of a config: `rope_scaling` of transformers 4, `rope_parameters` of transformers 5.
 *
 * Versions of transformers disagree on which of two fields counts, and pass over fields that they do not know. Here,
 * fields that contradict each other are refused, and so are those that would be passed over.
 */
import * as z from 'zod';
import { isJsonObject } from '../json.ts';
import type { JsonDocument, JsonPath, JsonValue } from '../json.ts';
import { isGiven, numberFrom, readFields, refuse, refuseOptions, show, size, valueAt } from './fields.ts';
import type { RopeScaling } from './types.ts';

export interface Rope {
  readonly theta: number;
  readonly scaling: RopeScaling;
}

type Field = 'rope_parameters' | 'rope_scaling';

const DEFAULT_THETA = 10_000;
const SUPPORTED = 'supported: default, linear, llama3';
const NONE: RopeScaling = { kind: 'none' };

/**
 * Far wider than any model has, these limits keep what is computed finite: a frequency is theta^-x / factor with x in [0, 1),
 * so from 1e-36 to 1e12, and an angle, of at most 2^24 positions, below 1e20; normal numbers of 32 bits.
 */
export function ropeTheta(): z.ZodType<number> {
  return numberFrom(1e-6, 1e30);
}

function factor(): z.ZodType<number> {
  return numberFrom(1e-6, 1e6);
}

const linear = z.object({ factor: factor() });
const llama3 = z.object({
  factor: factor(),
  low_freq_factor: factor(),
  high_freq_factor: factor(),
  original_max_position_embeddings: size(),
});

/** What either field may hold, whatever its type. */
const common = z.object({ rope_theta: ropeTheta().nullish() });
const COMMON = ['rope_type', 'type', 'rope_theta', 'partial_rotary_factor'];

/**
 * @param theta - the field `rope_theta` of the config itself, where it has one
 * @throws RadialError RC0204, RC0205, RC0207, RC0208
 */
export function readRope(document: JsonDocument, theta: number | undefined): Rope {
  const fields = (['rope_parameters', 'rope_scaling'] as const).filter((field) => isGiven(at(document, field)));
  for (const field of fields) checkObject(document, field);
  const base = readTheta(document, fields, theta);
  const [scaling = NONE, other = scaling] = fields.map((field) => readScaling(document, field));
  if (JSON.stringify(other) !== JSON.stringify(scaling)) {
    const [parameters, earlier] = fields.map((field) => show(at(document, field)));
    contradiction(document, ['rope_scaling'], `rope_scaling ${earlier} contradicts rope_parameters ${parameters}`);
  }
  return { theta: base ?? DEFAULT_THETA, scaling };
}

function at(document: JsonDocument, ...path: readonly string[]): JsonValue | undefined {
  return valueAt(document.value, path);
}

function contradiction(document: JsonDocument, path: JsonPath, message: string): never {
  return refuse(document, 'RC0205', path, message, 'remove the one that the weights were not trained with');
}

function checkObject(document: JsonDocument, field: Field): void {
  const given = at(document, field);
  if (isJsonObject(given)) return;
  refuse(
    document,
    'RC0204',
    [field],
    `${field} must be an object or null, found ${show(given)}`,
    'write it as {"rope_type": "linear", "factor": 2}, or null where there is none',
  );
}

/** The one base that is given, in the config or in `fields`. */
function readTheta(document: JsonDocument, fields: readonly Field[], outer: number | undefined): number | undefined {
  let theta = outer;
  for (const field of fields) {
    const inner = readFields(document, common, [field]).rope_theta ?? theta;
    if (theta !== undefined && inner !== theta) {
      contradiction(
        document,
        [field, 'rope_theta'],
        `${field}.rope_theta ${inner} contradicts the rope_theta ${theta}`,
      );
    }
    theta = inner;
  }
  return theta;
}

function readScaling(document: JsonDocument, field: Field): RopeScaling {
  refuseOptions(document, { partial_rotary_factor: [1] }, [field]);
  const { type, key } = readType(document, field);
  switch (type) {
    case 'default':
      refuseOthers(document, field, { type, known: at(document, field, 'factor') === 1 ? ['factor'] : [] });
      return NONE;
    case 'linear':
      refuseOthers(document, field, { type, known: Object.keys(linear.shape) });
      return { kind: 'linear', factor: readFields(document, linear, [field]).factor };
    case 'llama3':
      refuseOthers(document, field, { type, known: Object.keys(llama3.shape) });
      return readLlama3(document, field);
    default:
      return refuse(document, 'RC0207', [field, key], `the rope type ${show(type)} is not supported`, SUPPORTED);
  }
}

/** The type and the key that names it; early files say `type`, later ones both. */
function readType(
  document: JsonDocument,
  field: Field,
): { readonly type: JsonValue | undefined; readonly key: string } {
  const [key, second] = ['rope_type', 'type'].filter((name) => isGiven(at(document, field, name)));
  if (key === undefined) {
    // Those of version 5 hold the base, and so exist where nothing is scaled.
    if (field === 'rope_parameters') return { type: 'default', key: 'rope_type' };
    return refuse(document, 'RC0207', [field], `${field} names no rope type`, `add "rope_type"; ${SUPPORTED}`);
  }
  const type = at(document, field, key);
  if (second !== undefined && at(document, field, second) !== type) {
    const other = show(at(document, field, second));
    contradiction(document, [field, second], `${second} ${other} contradicts ${key} ${show(type)}`);
  }
  return { type, key };
}

/** Refuses what the type does not have: fields of other types, and parameters of several kinds of layer. */
function refuseOthers(
  document: JsonDocument,
  field: Field,
  { type, known }: { readonly type: string; readonly known: readonly string[] },
): void {
  const given = at(document, field);
  const names = isJsonObject(given) ? Object.keys(given).filter((name) => isGiven(given[name])) : [];
  const odd = names.find((name) => !COMMON.includes(name) && !known.includes(name));
  if (odd === undefined) return;
  refuse(
    document,
    'RC0207',
    [field, odd],
    `the rope type ${show(type)} has no field ${show(odd)}, found ${show(at(document, field, odd))}`,
    `name the rope type that the weights were trained with, or remove the field; ${SUPPORTED}`,
  );
}

function readLlama3(document: JsonDocument, field: Field): RopeScaling {
  const fields = readFields(document, llama3, [field]);
  const { low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings: original } = fields;
  if (low >= high) {
    refuse(
      document,
      'RC0205',
      [field, 'high_freq_factor'],
      `high_freq_factor ${high} is not above low_freq_factor ${low}`,
      'correct one of the two; Llama 3.1 has 1 and 4',
    );
  }
  const name = 'original_max_position_embeddings';
  const outer = at(document, name);
  if (isGiven(outer) && outer !== original) {
    contradiction(document, [name], `${name} ${show(outer)} contradicts ${field}.${name} ${original}`);
  }
  return {
    kind: 'llama3',
    factor: fields.factor,
    lowFreqFactor: low,
    highFreqFactor: high,
    originalMaxPositions: original,
  };
}
