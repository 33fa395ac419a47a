/** @file The end-of-text ids of `generation_config.json`. */
import * as z from 'zod';
import type { JsonDocument } from '../json.ts';
import { idsInVocabulary, readFields, tokenIds } from './fields.ts';

const schema = z.object({ eos_token_id: tokenIds.optional() });

/**
 * The ids that end a text: those of the file where it names some, else those of the model's configuration.
 * @throws RadialError RC0204
 */
export function readGenerationEos(
  document: JsonDocument,
  config: { readonly vocab: number; readonly eosTokenIds: readonly number[] },
): readonly number[] {
  const ids = readFields(document, schema).eos_token_id;
  return ids === undefined || ids === null ? config.eosTokenIds : idsInVocabulary(ids, config.vocab);
}
