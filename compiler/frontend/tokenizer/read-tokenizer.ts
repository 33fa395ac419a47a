/**
 * @file Reads the files of a checkpoint's tokenizer as bytes, for the artifact, and as values, for the compiler.
 *
 * Whether the tokenizer library can use them shows when the first text is encoded (RC0815): a model whose tokenizer it does
 * not know still runs on token ids.
 */
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import type { Place } from '../../../ir/diagnostics/diagnostic.ts';
import type { Checkpoint } from '../checkpoint.ts';
import { readInFolder } from '../files.ts';
import { isJsonObject, parseJson } from '../json.ts';
import type { JsonDocument } from '../json.ts';

/** Vocabularies of 256,000 tokens come to about 35 MB. */
const MAX_BYTES = 64_000_000;

export interface TokenizerParts {
  /** tokenizer.json, then tokenizer_config.json where there is one; or nothing. */
  readonly files: readonly { readonly file: string; readonly bytes: Uint8Array }[];
  readonly tokenizer?: JsonDocument;
  readonly tokenizerConfig?: JsonDocument;
}

/** @throws RadialError RC0132 to RC0134, RC015x, RC0301 */
export function readTokenizer({ dir, tokenizerPath, tokenizerConfig }: Checkpoint): TokenizerParts {
  if (tokenizerPath === undefined) return { files: [] };
  const read = (file: string): { file: string; bytes: Uint8Array } => ({
    file,
    bytes: readInFolder(dir, file, MAX_BYTES),
  });
  const first = read('tokenizer.json');
  const tokenizer = parseJson(first.bytes, tokenizerPath);
  checkTokenizer(tokenizer);
  if (tokenizerConfig === undefined) return { files: [first], tokenizer };
  return { files: [first, read('tokenizer_config.json')], tokenizer, tokenizerConfig };
}

function checkTokenizer(document: JsonDocument): void {
  const model = isJsonObject(document.value) ? document.value['model'] : undefined;
  const vocab = isJsonObject(model) && typeof model['type'] === 'string' ? model['vocab'] : null;
  if (typeof vocab !== 'object' || vocab === null) {
    return refuse(
      'the file is not a tokenizer: it has no "model" with a "type" and a "vocab"',
      document.place(['model']),
    );
  }
  // Unigram models have a list of texts and scores instead.
  if (!isJsonObject(vocab)) return;
  const wrong = Object.entries(vocab).find(([, id]) => !(Number.isInteger(id) && Number(id) >= 0));
  if (wrong === undefined) return;
  refuse('the vocabulary gives a token something else than an id', document.place(['model', 'vocab', wrong[0]]));
}

function refuse(message: string, place: Place): never {
  return fail('RC0301', message, {
    place,
    help: 'save the tokenizer again with save_pretrained of transformers, or remove the file and use token ids',
  });
}
