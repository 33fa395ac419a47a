/**
 * @file Reads a module from its text form.
 *
 * Reading gives a module that is well-formed as data; whether it is valid is for the verifier to say. A fault ends in a
 * `RadialError` with up to 20 diagnostics (RC04xx; RC05xx where a type is left out and cannot be inferred).
 */
import { fail } from '../diagnostics/diagnostic.ts';
import type { KernelProgram } from '../kernel/types.ts';
import type { Network } from '../types.ts';
import { didYouMean, quote } from '../verify/op.ts';
import { Grammar } from './grammar.ts';
import { readKernelProgram } from './read-kernel.ts';
import { readNetwork } from './read-network.ts';
import { Report } from './report.ts';
import { syntaxErrorMessages } from './syntax-errors.ts';
import type { ItemNode } from './syntax.ts';
import { isMisfit, tokenize } from './tokens.ts';
import type { Token } from './tokens.ts';

const MAX_CHARACTERS = 4 * 2 ** 20;
const MAX_NODES = 100_000;

let grammar: Grammar | undefined;

/** The module that `text` holds. Throws a `RadialError`; `fileName` is for its places only. */
export function parseModule(text: string, fileName: string): Network | KernelProgram {
  if (text.length > MAX_CHARACTERS) {
    fail('RC0406', `the text has ${text.length} characters, at most ${MAX_CHARACTERS} are read`, {
      place: { file: fileName },
      help: 'a module names its weights (`tensor {name: …}`) rather than holding their numbers',
    });
  }
  const report = new Report(text, fileName);
  const items = parseItems(text, report);
  report.finish();
  const nodes = items.reduce((sum, item) => sum + 1 + (item.code?.statements.length ?? 0), 0);
  if (nodes > MAX_NODES) {
    fail('RC0406', `the text has ${nodes} items and statements, at most ${MAX_NODES} are read`, {
      place: { file: fileName },
      help: 'no model needs so many; leave out what nothing reads',
    });
  }
  const [header] = items;
  if (header?.word.text === 'network') return readNetwork(items, report);
  if (header?.word.text === 'program') return readKernelProgram(items, report);
  const word = header?.word.text ?? '';
  const found = header === undefined ? 'is empty' : `begins with ${quote(word)}`;
  report.add(
    {
      code: 'RC0404',
      message: `the text ${found}, expected \`network\` or \`program\``,
      ...didYouMean(word, ['network', 'program']),
    },
    header?.word.at ?? 0,
  );
  return report.end();
}

/**
 * Parses, and after a fault leaves out its line and parses again: a statement is a line. It gives up where that would
 * blame sound lines: when the line opens or closes code, or when the fault seems to be in a line before it.
 */
function parseItems(text: string, report: Report): readonly ItemNode[] {
  let tokens = tokenize(text);
  for (const token of tokens) {
    const wrong = isMisfit(token);
    if (wrong === undefined) continue;
    report.add(
      { code: 'RC0401', message: wrong, help: 'strings and odd names are written as in JSON: `@"odd name"`' },
      token.startOffset,
    );
  }
  report.finish();
  grammar ??= new Grammar(syntaxErrorMessages);
  for (;;) {
    grammar.input = tokens;
    const items = grammar.module();
    const [error] = grammar.errors;
    if (error === undefined) return items;
    const last = tokens.at(-1);
    const isEnd = Number.isNaN(error.token.startOffset);
    const at = isEnd ? (last?.startOffset ?? 0) + (last?.image.length ?? 0) : error.token.startOffset;
    report.add({ code: 'RC0402', message: error.message }, at);
    const rest = isEnd ? undefined : withoutLine(text, tokens, at);
    if (rest === undefined) return [];
    tokens = rest;
  }
}

function withoutLine(text: string, tokens: readonly Token[], at: number): Token[] | undefined {
  const start = text.lastIndexOf('\n', at - 1) + 1;
  const newline = text.indexOf('\n', at);
  const end = newline === -1 ? text.length : newline;
  const line = tokens.filter((token) => token.startOffset >= start && token.startOffset < end);
  const [first] = line;
  if (first === undefined || first.startOffset === at || openBrackets(line, '{}') !== 0) return undefined;
  if (
    openBrackets(
      tokens.filter((token) => token.startOffset < start),
      '()[]',
    ) !== 0
  ) {
    return undefined;
  }
  return tokens.filter((token) => token.startOffset < start || token.startOffset >= end);
}

function openBrackets(tokens: readonly Token[], brackets: string): number {
  let open = 0;
  for (const { image } of tokens) {
    const index = image.length === 1 ? brackets.indexOf(image) : -1;
    if (index !== -1) open += index % 2 === 0 ? 1 : -1;
  }
  return open;
}
