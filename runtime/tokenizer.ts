/**
 * @file Text to token ids and back; the only file that imports the tokenizer library. Loaded when a text is first used,
 * and in an artifact a file of its own, so it imports nothing of the runtime but types.
 *
 * Ids become bytes, and bytes become text as soon as they are whole characters. Spaces are never "cleaned up".
 */
import * as tokenizers from '@huggingface/tokenizers';
import type { TextStream, Tokenizer } from './text.ts';

/** What is used of the library; its own declarations cannot be resolved under `nodenext`. */
interface Library {
  encode(text: string, options: { readonly add_special_tokens: boolean }): { readonly ids: readonly number[] };
  id_to_token(id: number): string | undefined;
  get_added_tokens_decoder(): ReadonlyMap<number, { readonly content: string; readonly special: boolean }>;
}
interface LibraryModule {
  readonly Tokenizer: new (tokenizer: object, config: object) => Library;
}

const { Tokenizer: TokenizerOf } = tokenizers as unknown as LibraryModule;

type Json = Readonly<Record<string, unknown>>;

/** Bytes of a token's text; `first`: no token with text came before. */
type BytesOf = (token: string, first: boolean) => Uint8Array;

const utf8 = new TextEncoder();

/**
 * A tokenizer as `tokenizer.json` and `tokenizer_config.json` describe it.
 * @throws Error when the library does not know it
 */
export function createTokenizer(tokenizer: unknown, config: unknown): Tokenizer {
  if (!isRecord(tokenizer)) throw new Error('tokenizer.json is not an object');
  const library = new TokenizerOf(tokenizer, isRecord(config) ? config : {});
  const added = library.get_added_tokens_decoder();
  const bytesOf = tokenBytes(tokenizer['decoder']);
  const textOf = (id: number, first: boolean): Uint8Array | undefined => {
    const special = added.get(id);
    if (special !== undefined) return special.special ? undefined : utf8.encode(special.content);
    const token = library.id_to_token(id);
    return token === undefined ? undefined : bytesOf(token, first);
  };
  return {
    encode: (text) => library.encode(text, { add_special_tokens: false }).ids,
    stream: (context) => {
      const stream = createStream(textOf);
      for (const id of context) stream.push(id);
      return stream;
    },
  };
}

/** @param textOf - bytes of a token; undefined for those without text */
function createStream(textOf: (id: number, first: boolean) => Uint8Array | undefined): TextStream {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let first = true;
  return {
    push: (id) => {
      const bytes = textOf(id, first);
      if (bytes === undefined) return '';
      first = false;
      return decoder.decode(bytes, { stream: true });
    },
    flush: () => decoder.decode(),
  };
}

/** How the decoder of tokenizer.json writes a token. */
function tokenBytes(decoder: unknown): BytesOf {
  if (decoder === null || decoder === undefined) return (token, first) => utf8.encode(first ? token : ` ${token}`);
  const steps = isRecord(decoder) && Array.isArray(decoder['decoders']) ? decoder['decoders'] : [decoder];
  const find = (type: string): Json | undefined => steps.filter(isRecord).find((step) => step['type'] === type);
  if (find('ByteLevel') !== undefined) return byteLevel();
  const metaspace = find('Metaspace');
  if (metaspace === undefined && find('Replace') === undefined) throw new Error('unknown decoder in tokenizer.json');
  const replacement = metaspace?.['replacement'];
  const pieces: Pieces = {
    space: typeof replacement === 'string' ? replacement : '\u2581',
    bytes: find('ByteFallback') !== undefined,
    strip: metaspace === undefined ? find('Strip')?.['content'] === ' ' : metaspace['prepend_scheme'] !== 'never',
  };
  return (token, first) => pieceBytes(pieces, token, first);
}

interface Pieces {
  /** The character that stands for a space. */
  readonly space: string;
  /** Whether `<0x0A>` stands for a byte. */
  readonly bytes: boolean;
  /** Whether the text loses the space that it starts with. */
  readonly strip: boolean;
}

function pieceBytes({ space, bytes, strip }: Pieces, token: string, first: boolean): Uint8Array {
  const byte = bytes ? /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1] : undefined;
  if (byte !== undefined) return Uint8Array.of(Number.parseInt(byte, 16));
  const text = token.replaceAll(space, ' ');
  return utf8.encode(strip && first && text.startsWith(' ') ? text.slice(1) : text);
}

/**
 * Byte-level vocabularies write each byte as a character: visible bytes of Latin-1 as themselves, the others, in
 * order, as the characters from U+0100 on.
 */
function byteLevel(): BytesOf {
  const bytes = new Map<string, number>();
  let next = 0x100;
  for (let byte = 0; byte < 0x100; byte++) {
    const visible = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    bytes.set(String.fromCharCode(visible ? byte : next++), byte);
  }
  return (token) => {
    const chars = [...token];
    if (chars.every((char) => bytes.has(char))) return Uint8Array.from(chars, (char) => bytes.get(char) ?? 0);
    return utf8.encode(token);
  };
}

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
