/**
 * @file Reads JSON token by token, strictly (RFC 8259), from text that nobody vouches for.
 *
 * It exists beside `JSON.parse` because that keeps the last of two equal keys, turns 1e400 into Infinity and cannot say
 * where a value stood. It never recurses and looks at each character once.
 */
import { fail } from '../../ir/diagnostics/diagnostic.ts';
import type { DiagnosticCode, Place } from '../../ir/diagnostics/diagnostic.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ZERO = 0x30;
const NINE = 0x39;
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Says where an offset of the text is, for a diagnostic. */
export type Locator = (text: string, offset: number) => Place;

export class JsonScanner {
  /** Offset of the next character, in UTF-16 code units. */
  offset = 0;
  readonly text: string;
  readonly #locate: Locator;

  constructor(text: string, locate: Locator) {
    this.text = text;
    this.#locate = locate;
  }

  /** Ends the reading with a diagnostic at `at`, by default the next character. */
  fault(code: DiagnosticCode, message: string, { at = this.offset, help }: { at?: number; help: string }): never {
    return fail(code, message, { place: this.#locate(this.text, at), help });
  }

  /** Ends the reading because the text is not JSON here. */
  unexpected(expected: string): never {
    return this.fault('RC0150', `expected ${expected}, found ${this.#describeNext()}`, {
      help: 'correct the text here; JSON has no comments, no trailing commas, no NaN, and double quotes only',
    });
  }

  /** The next character that is not white space, or '' at the end; it is not consumed. */
  peek(): string {
    const { text } = this;
    for (;;) {
      const char = text.charCodeAt(this.offset);
      if (char !== 0x20 && char !== 0x0a && char !== 0x0d && char !== 0x09) break;
      this.offset++;
    }
    return text.charAt(this.offset);
  }

  /** Consumes the punctuation mark if it is next. */
  accept(mark: string): boolean {
    if (this.peek() !== mark) return false;
    this.offset++;
    return true;
  }

  expect(mark: string): void {
    if (!this.accept(mark)) this.unexpected(`"${mark}"`);
  }

  /** Nothing but white space may follow. */
  end(): void {
    if (this.peek() !== '') this.unexpected('the end of the text');
  }

  string(what = 'a string'): string {
    if (this.peek() !== '"') this.unexpected(what);
    const opening = this.offset;
    const escaped = this.#skipString(opening);
    const body = this.text.slice(opening + 1, this.offset - 1);
    return escaped ? this.#unescape(body, opening) : body;
  }

  /** Any finite number. */
  number(): number {
    this.peek();
    const start = this.offset;
    this.#acceptOneOf('-');
    if (!this.#acceptOneOf('0')) this.#digits();
    if (this.#acceptOneOf('.')) this.#digits();
    if (this.#acceptOneOf('eE')) {
      this.#acceptOneOf('+-');
      this.#digits();
    }
    const value = Number(this.text.slice(start, this.offset));
    if (Number.isFinite(value)) return value;
    return this.fault('RC0153', 'the number is too large for a 64-bit float', {
      at: start,
      help: 'write a number below 1.8e308',
    });
  }

  /** One of the words `true`, `false`, `null`. */
  word(): boolean | null {
    const next = this.peek();
    const found = next === 't' ? 'true' : next === 'f' ? 'false' : 'null';
    if (!this.text.startsWith(found, this.offset)) this.unexpected('a value');
    this.offset += found.length;
    return found === 'null' ? null : found === 'true';
  }

  /** Moves behind the closing quote; says whether there were escapes. */
  #skipString(opening: number): boolean {
    const { text } = this;
    let escaped = false;
    let at = opening + 1;
    for (;;) {
      const char = text.charCodeAt(at);
      if (char === QUOTE) break;
      if (Number.isNaN(char)) {
        this.fault('RC0150', 'the string is not closed', { at: opening, help: 'close it with a double quote' });
      }
      if (char < 0x20) {
        const code = char.toString(16).padStart(4, '0');
        this.fault('RC0150', 'a control character must be escaped in a string', { at, help: `write it as \\u${code}` });
      }
      if (char === BACKSLASH) {
        escaped = true;
        at++;
      }
      at++;
    }
    this.offset = at + 1;
    return escaped;
  }

  #unescape(body: string, opening: number): string {
    let value: unknown;
    try {
      value = JSON.parse(`"${body}"`);
    } catch {
      this.fault('RC0150', 'the string has an escape that JSON does not know', {
        at: opening,
        help: String.raw`the escapes are \" \\ \/ \b \f \n \r \t and \u with four digits`,
      });
    }
    if (typeof value !== 'string' || LONE_SURROGATE.test(value)) {
      this.fault('RC0150', 'the string has half of a surrogate pair', {
        at: opening,
        help: String.raw`write both halves, as in \ud83d\ude00, or the character itself`,
      });
    }
    return value;
  }

  #acceptOneOf(chars: string): boolean {
    const char = this.text.charAt(this.offset);
    if (char === '' || !chars.includes(char)) return false;
    this.offset++;
    return true;
  }

  #digits(): void {
    const start = this.offset;
    for (;;) {
      const char = this.text.charCodeAt(this.offset);
      if (!(char >= ZERO && char <= NINE)) break;
      this.offset++;
    }
    if (this.offset === start) this.unexpected('a digit');
  }

  #describeNext(): string {
    const next = this.text.codePointAt(this.offset);
    return next === undefined ? 'the end of the text' : JSON.stringify(String.fromCodePoint(next));
  }
}

/** `file:line:column` of an offset. */
export function lineAndColumn(file: string): Locator {
  return (text, offset) => {
    const before = text.slice(0, offset);
    const lineStart = before.lastIndexOf('\n') + 1;
    return { file, line: before.split('\n').length, column: offset - lineStart + 1 };
  };
}
