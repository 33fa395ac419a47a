/** @file What the grammar says when a token does not fit: what was found, and what was expected. */
import { EOF, tokenLabel } from 'chevrotain';
import type { IParserErrorMessageProvider, IToken, TokenType } from 'chevrotain';
import { clip } from '../verify/op.ts';
import { LeftCurly, LeftRound, LeftSquare, RightCurly, RightRound, RightSquare } from './tokens.ts';

const openings = new Map<TokenType, TokenType>([
  [RightRound, LeftRound],
  [RightSquare, LeftSquare],
  [RightCurly, LeftCurly],
]);

/** What may stand where a rule expects this token: lists may go on before they end. */
function alternatives(rule: string, expected: TokenType, previous: IToken): string {
  const label = tokenLabel(expected);
  if (rule === 'statements' && expected === RightCurly) return 'an operation, `yield` or `}`';
  const opening = openings.get(expected);
  if (opening === undefined || rule === 'view' || previous.tokenType === opening) return label;
  return `\`,\` or ${label}`;
}

function found(token: IToken): string {
  if (token.tokenType === EOF) return 'the end of the text';
  return token.image.startsWith('"') ? clip(token.image) : `\`${clip(token.image)}\``;
}

function oneOf(labels: readonly string[]): string {
  const distinct = [...new Set(labels)];
  const last = distinct.pop() ?? 'nothing';
  return distinct.length === 0 ? last : `${distinct.join(', ')} or ${last}`;
}

export const syntaxErrorMessages: IParserErrorMessageProvider = {
  buildMismatchTokenMessage: ({ expected, actual, previous, ruleName }) =>
    `found ${found(actual)}, expected ${alternatives(ruleName, expected, previous)}`,
  buildNotAllInputParsedMessage: ({ firstRedundant }) =>
    `found ${found(firstRedundant)}, expected the rest of this item, or a new one`,
  buildNoViableAltMessage: ({ expectedPathsPerAlt, actual }) => {
    const firsts = expectedPathsPerAlt.flat().flatMap((path) => path.slice(0, 1));
    const [token] = actual;
    return `found ${token === undefined ? 'nothing' : found(token)}, expected ${oneOf(firsts.map(tokenLabel))}`;
  },
  buildEarlyExitMessage: ({ expectedIterationPaths, actual }) => {
    const [token] = actual;
    return `found ${token === undefined ? 'nothing' : found(token)}, expected ${oneOf(expectedIterationPaths.flat().map(tokenLabel))}`;
  },
};
