/**
 * @file What tokenizer.json must be to be used with the model: its vocabulary, merges and added tokens.
 *
 * The library that turns texts into ids would take most of what is refused here, and fail, or give wrong ids, at the first
 * text. Parts that it does not know, such as another pre-tokenizer, are left to it (RC0815): the model still runs on ids.
 */
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import type { DiagnosticCode } from '../../../ir/diagnostics/diagnostic.ts';
import { isJsonObject } from '../json.ts';
import type { JsonDocument, JsonObject, JsonPath, JsonValue } from '../json.ts';
import { quote } from '../quote.ts';

interface Subject {
  readonly document: JsonDocument;
  /** Ids that the model has an embedding for; infinite where the model takes no tokens. */
  readonly ids: number;
}

const SAVE_AGAIN =
  'save the tokenizer again with save_pretrained of transformers, or remove the file and use token ids';
const OTHER_MODEL = 'is this tokenizer that of the model? Else take the right one, or remove the token';

/**
 * @param ids - size of the model's vocabulary, or undefined where it takes no tokens
 * @throws RadialError RC0301, RC0303, RC0304
 */
export function checkTokenizer(document: JsonDocument, ids = Infinity): void {
  const root = document.value;
  const model = isJsonObject(root) ? root['model'] : undefined;
  if (!isJsonObject(root) || !isJsonObject(model) || typeof model['type'] !== 'string' || !isVocab(model['vocab'])) {
    return fail('RC0301', 'the file is not a tokenizer: it has no "model" with a "type" and a "vocab"', {
      place: document.place(['model']),
      help: SAVE_AGAIN,
    });
  }
  const subject = { document, ids };
  checkVocab(subject, model['vocab']);
  if (model['type'] === 'BPE') checkMerges(subject, model['merges']);
  checkAddedTokens(subject, root['added_tokens']);
}

/** Ids by text; or, in Unigram models, a list of texts and scores, whose ids are their places in it. */
function isVocab(value: JsonValue | undefined): value is JsonObject | readonly JsonValue[] {
  return isJsonObject(value) || Array.isArray(value);
}

function checkVocab(subject: Subject, vocab: JsonObject | readonly JsonValue[]): void {
  const path = ['model', 'vocab'];
  if (!isJsonObject(vocab)) {
    const wrong = vocab.findIndex((entry) => !(isList(entry) && typeof entry[0] === 'string'));
    if (wrong >= 0) refuse(subject, [...path, wrong], 'must be a list of a text and its score');
    if (vocab.length === 0) refuse(subject, path, 'holds no tokens');
    checkId(subject, [...path, vocab.length - 1], vocab.length - 1);
    return;
  }
  const texts = new Map<number, string>();
  for (const [text, id] of Object.entries(vocab)) {
    if (!isId(id)) refuse(subject, [...path, text], 'must be an id, a whole number from 0 on');
    checkId(subject, [...path, text], id);
    const other = texts.get(id);
    if (other !== undefined) refuse(subject, [...path, text], `has the id ${id}, as has ${quote(other)}`);
    texts.set(id, text);
  }
  if (texts.size === 0) refuse(subject, path, 'holds no tokens');
}

/** Pairs of texts, all as lists of two, or, as older files have them, all with a space between. */
function checkMerges(subject: Subject, merges: JsonValue | undefined): void {
  const path = ['model', 'merges'];
  if (!isList(merges)) return refuse(subject, path, 'must be a list');
  const lists = isList(merges[0]);
  const wrong = merges.findIndex((merge) => {
    const pair = lists ? merge : typeof merge === 'string' ? merge.split(' ') : undefined;
    return !(isList(pair) && pair.length === 2 && pair.every((text) => typeof text === 'string' && text !== ''));
  });
  if (wrong < 0) return;
  refuse(subject, [...path, wrong], `must be two texts, ${lists ? 'as a list' : 'with a space between'}`);
}

/** Fine-tunes often add a token for padding without an embedding: one that a text uses is refused where it is read. */
function checkAddedTokens(subject: Subject, added: JsonValue | undefined): void {
  if (!isList(added)) return refuse(subject, ['added_tokens'], 'must be a list');
  for (const [i, token] of added.entries()) {
    if (!isJsonObject(token) || typeof token['content'] !== 'string' || !isId(token['id'])) {
      return refuse(subject, ['added_tokens', i], 'must be an object with a "content" and an "id" from 0 on');
    }
  }
}

function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function isId(value: JsonValue | undefined): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function checkId(subject: Subject, path: JsonPath, id: number): void {
  if (id < subject.ids) return;
  refuse(subject, path, `has the id ${id}, the model has ${subject.ids} tokens`, { code: 'RC0304', help: OTHER_MODEL });
}

function refuse(
  { document }: Subject,
  path: JsonPath,
  message: string,
  { code, help }: { readonly code: DiagnosticCode; readonly help: string } = { code: 'RC0303', help: SAVE_AGAIN },
): never {
  return fail(code, `${quote(path.map(String).join('.'))} ${message}`, { place: document.place(path), help });
}
