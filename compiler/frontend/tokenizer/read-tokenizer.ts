/**
 * @file Reads the files of a checkpoint's tokenizer as bytes, for the artifact, and as values, for the compiler.
 */
import type { Checkpoint } from '../checkpoint.ts';
import { readInFolder } from '../files.ts';
import { parseJson } from '../json.ts';
import type { JsonDocument } from '../json.ts';
import { checkTokenizer } from './check-tokenizer.ts';

/** Vocabularies of 256,000 tokens come to about 35 MB. */
const MAX_BYTES = 64_000_000;

export interface TokenizerParts {
  /** tokenizer.json, then tokenizer_config.json where there is one; or nothing. */
  readonly files: readonly { readonly file: string; readonly bytes: Uint8Array }[];
  readonly tokenizer?: JsonDocument;
  readonly tokenizerConfig?: JsonDocument;
}

/** @throws RadialError RC0132 to RC0134, RC015x, RC0301, RC0303, RC0304 */
export function readTokenizer({ dir, config, tokenizerPath, tokenizerConfig }: Checkpoint): TokenizerParts {
  if (tokenizerPath === undefined) return { files: [] };
  const read = (file: string): { file: string; bytes: Uint8Array } => ({
    file,
    bytes: readInFolder(dir, file, MAX_BYTES),
  });
  const first = read('tokenizer.json');
  const tokenizer = parseJson(first.bytes, tokenizerPath);
  checkTokenizer(tokenizer, 'vocab' in config ? config.vocab : undefined);
  if (tokenizerConfig === undefined) return { files: [first], tokenizer };
  return { files: [first, read('tokenizer_config.json')], tokenizer, tokenizerConfig };
}
