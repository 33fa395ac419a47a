/**
 * @file The words of the `.rir` language.
 *
 * Every text splits into tokens without an error: what fits nothing becomes an `Unknown` or `OpenString` token, so that
 * one place ({@link isMisfit}) reports it.
 */
import { createToken, Lexer } from 'chevrotain';
import type { IToken, TokenType } from 'chevrotain';

const jsonString = String.raw`"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"`;
const plainName = String.raw`[A-Za-z0-9_][A-Za-z0-9_.\-/$]*`;

function sign(name: string, text: string): TokenType {
  return createToken({ name, pattern: text, label: `\`${text}\`` });
}

const Blank = createToken({ name: 'Blank', pattern: /[ \t\r\n]+/, group: Lexer.SKIPPED, line_breaks: true });
const Comment = createToken({ name: 'Comment', pattern: /\/\/[^\n]*/, group: Lexer.SKIPPED });

export const Local = createToken({
  name: 'Local',
  pattern: new RegExp(`%(?:${plainName}|${jsonString})`),
  label: 'a value such as `%x`',
});
export const Global = createToken({
  name: 'Global',
  pattern: new RegExp(`@(?:${plainName}|${jsonString})`),
  label: 'a name such as `@w`',
});
export const BufferToken = createToken({
  name: 'Buffer',
  pattern: new RegExp(String.raw`\$(?:${plainName}|${jsonString})`),
  label: 'a buffer such as `$x`',
});
export const BodyName = createToken({
  name: 'BodyName',
  pattern: new RegExp(`#(?:${plainName}|${jsonString})`),
  label: 'a body such as `#mlp`',
});
export const BlockName = createToken({ name: 'BlockName', pattern: /\^\d+/, label: 'a block such as `^0`' });
export const Word = createToken({ name: 'Word', pattern: /[A-Za-z_][A-Za-z0-9_]*/, label: 'a word' });
export const NumberToken = createToken({
  name: 'Number',
  pattern: /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/,
  label: 'a number',
});
export const StringToken = createToken({ name: 'String', pattern: new RegExp(jsonString), label: 'a string' });

export const Arrow = sign('Arrow', '->');
export const Dots = sign('Dots', '..');
export const Comma = sign('Comma', ',');
export const Colon = sign('Colon', ':');
export const Equals = sign('Equals', '=');
export const LeftRound = sign('LeftRound', '(');
export const RightRound = sign('RightRound', ')');
export const LeftSquare = sign('LeftSquare', '[');
export const RightSquare = sign('RightSquare', ']');
export const LeftCurly = sign('LeftCurly', '{');
export const RightCurly = sign('RightCurly', '}');

const OpenString = createToken({ name: 'OpenString', pattern: /[%@$#]?"[^\n]*/, label: 'a string without an end' });
const Unknown = createToken({ name: 'Unknown', pattern: /[^]/u, line_breaks: true, label: 'an unknown character' });

/** In order of preference. */
export const tokenTypes: TokenType[] = [
  Blank,
  Comment,
  Local,
  Global,
  BufferToken,
  BodyName,
  BlockName,
  NumberToken,
  Word,
  StringToken,
  Arrow,
  Dots,
  Comma,
  Colon,
  Equals,
  LeftRound,
  RightRound,
  LeftSquare,
  RightSquare,
  LeftCurly,
  RightCurly,
  OpenString,
  Unknown,
];

const lexer = new Lexer(tokenTypes, {
  positionTracking: 'onlyOffset',
  ensureOptimizations: false,
  recoveryEnabled: false,
});

export type Token = IToken;

/** All tokens but blanks and comments. */
export function tokenize(text: string): IToken[] {
  return lexer.tokenize(text).tokens;
}

/** What is wrong with a token that belongs to no text, or undefined. */
export function isMisfit(token: IToken): string | undefined {
  if (token.tokenType === OpenString) {
    return 'the string is not closed, or holds an unknown escape or a control character';
  }
  return token.tokenType === Unknown ? `unexpected character ${JSON.stringify(token.image)}` : undefined;
}
