/** @file The house rules that no linter knows: file headers, diagnostic codes, nothing unfinished. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const product = ['ir', 'passes', 'compiler', 'runtime'];

/** The files below these folders that have one of these endings: path and text. */
function sources(folders: readonly string[], endings = ['.ts']): { path: string; text: string }[] {
  return folders
    .filter((folder) => existsSync(`${root}${folder}`))
    .flatMap((folder) =>
      readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' }).map((name) => `${folder}/${name}`),
    )
    .filter((path) => endings.some((ending) => path.endsWith(ending)))
    .sort()
    .map((path) => ({ path, text: readFileSync(`${root}${path}`, 'utf8') }));
}

/** All diagnostic codes that a text names in quotes. */
function quotedCodes(text: string): string[] {
  return [...text.matchAll(/['"`](RC\d{4})['"`]/g)].map((match) => match[1] ?? '');
}

/** The codes that have an entry in some `codes.ts`. */
function documentedCodes(): string[] {
  return sources(product)
    .filter(({ path }) => path.endsWith('codes.ts'))
    .flatMap(({ text }) => [...text.matchAll(/^\s*(RC\d{4}):/gm)].map((match) => match[1] ?? ''));
}

function none(found: readonly string[], what: string): void {
  assert.ok(found.length === 0, `${what}: ${[...found].sort().join(', ')}`);
}

describe('the sources', () => {
  it('start with what the file is for', () => {
    const without = sources([...product, 'examples', 'test']).filter(
      ({ text }) => !/^(#!.*\n)?\/\*\*\s+(\* )?@file /.test(text),
    );
    none(
      without.map(({ path }) => path),
      'no @file header',
    );
  });

  it('hold no unfinished work', () => {
    const marked = sources([...product, 'examples', 'test']).filter(
      ({ path, text }) => !path.startsWith('test/project/') && /\b(TODO|FIXME|XXX)\b|not (yet )?implemented/.test(text),
    );
    none(
      marked.map(({ path }) => path),
      'unfinished',
    );
  });

  it('suppress no check', () => {
    const suppressing = sources([...product, 'examples', 'test']).filter(
      ({ path, text }) =>
        !path.startsWith('test/project/') && /@ts-(ignore|nocheck|expect-error)|eslint-disable|c8 ignore/.test(text),
    );
    none(
      suppressing.map(({ path }) => path),
      'suppresses a check',
    );
  });
});

describe('the diagnostic codes', () => {
  it('are explained once each', () => {
    const codes = documentedCodes();
    none(
      codes.filter((code, index) => codes.indexOf(code) !== index),
      'explained twice',
    );
  });

  it('are explained where they are used, and used where they are explained', () => {
    const documented = new Set(documentedCodes());
    const used = new Set(
      sources(product)
        .filter(({ path }) => !path.endsWith('codes.ts'))
        .flatMap(({ text }) => quotedCodes(text)),
    );
    none(
      [...used].filter((code) => !documented.has(code)),
      'without an explanation',
    );
    none(
      [...documented].filter((code) => !used.has(code)),
      'never used',
    );
  });

  it('each have a test', () => {
    const tested = new Set(sources(['test'], ['.ts', '.rir']).flatMap(({ text }) => text.match(/\bRC\d{4}\b/g) ?? []));
    none(
      documentedCodes().filter((code) => !tested.has(code)),
      'without a test',
    );
  });
});
