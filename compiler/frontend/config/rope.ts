/** @file The rotary positions of a config: `rope_scaling` of transformers 4, `rope_parameters` of transformers 5. */
import * as z from 'zod';
import { isJsonObject } from '../json.ts';
import type { JsonDocument } from '../json.ts';
import { positive, readFields, refuse, show, size, valueAt } from './fields.ts';
import type { RopeScaling } from './types.ts';

export interface Rope {
  readonly theta: number;
  readonly scaling: RopeScaling;
}

const DEFAULT_THETA = 10_000;

const parameters = z.object({ rope_theta: positive().optional() });
const linear = z.object({ factor: positive() });
const llama3 = z.object({
  factor: positive(),
  low_freq_factor: positive(),
  high_freq_factor: positive(),
  original_max_position_embeddings: size(),
});

/**
 * @param theta - the field `rope_theta` of the config itself, where it has one
 * @throws RadialError RC0204, RC0205, RC0207, RC0208
 */
export function readRope(document: JsonDocument, theta: number | undefined): Rope {
  const field = ['rope_parameters', 'rope_scaling'].find((name) => {
    const value = valueAt(document.value, [name]);
    return value !== undefined && value !== null;
  });
  if (field === undefined) return { theta: theta ?? DEFAULT_THETA, scaling: { kind: 'none' } };
  const given = valueAt(document.value, [field]);
  if (!isJsonObject(given)) {
    refuse(document, 'RC0204', [field], `${field} must be an object or null, found ${show(given)}`);
  }
  const partial = given['partial_rotary_factor'];
  if (partial !== undefined && partial !== 1) {
    refuse(
      document,
      'RC0208',
      [field, 'partial_rotary_factor'],
      `partial_rotary_factor ${show(partial)} is not supported`,
    );
  }
  const own = readFields(document, parameters, [field]).rope_theta;
  return { theta: own ?? theta ?? DEFAULT_THETA, scaling: readScaling(document, field) };
}

function readScaling(document: JsonDocument, field: string): RopeScaling {
  // Early files say `type`.
  const key = valueAt(document.value, [field, 'rope_type']) === undefined ? 'type' : 'rope_type';
  const type = valueAt(document.value, [field, key]) ?? 'default';
  switch (type) {
    case 'default':
      return { kind: 'none' };
    case 'linear':
      return { kind: 'linear', factor: readFields(document, linear, [field]).factor };
    case 'llama3':
      return readLlama3(document, field);
    default:
      return refuse(
        document,
        'RC0207',
        [field, key],
        `the rope type ${show(type)} is not supported`,
        'supported: default, linear, llama3',
      );
  }
}

function readLlama3(document: JsonDocument, field: string): RopeScaling {
  const fields = readFields(document, llama3, [field]);
  if (fields.low_freq_factor >= fields.high_freq_factor) {
    const message = `high_freq_factor ${fields.high_freq_factor} is not above low_freq_factor ${fields.low_freq_factor}`;
    refuse(document, 'RC0205', [field, 'high_freq_factor'], message);
  }
  return {
    kind: 'llama3',
    factor: fields.factor,
    lowFreqFactor: fields.low_freq_factor,
    highFreqFactor: fields.high_freq_factor,
    originalMaxPositions: fields.original_max_position_embeddings,
  };
}
