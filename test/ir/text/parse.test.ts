/** @file What the parser says of faulty and of hostile texts. (Most errors have a file in test/errors.) */
import assert from 'node:assert/strict';
import { parseModule } from '../../../ir/text/parse.ts';
import { printModule } from '../../../ir/text/print.ts';
import { diagnosticsOf } from '../../support/error-files.ts';
import { randomNetwork } from '../../support/random-network.ts';

const valid = printModule(randomNetwork(4, { oddNames: false }));

function codesOf(text: string): readonly string[] {
  return diagnosticsOf(() => parseModule(text, 'x.rir')).map(({ code }) => code);
}

describe('parseModule', () => {
  it('says where, what was found, what was expected', () => {
    const [diagnostic] = diagnosticsOf(() => parseModule('network @n {task: "causal-lm",\n  context 5}', 'dir/x.rir'));
    assert.deepEqual(diagnostic, {
      code: 'RC0402',
      severity: 'error',
      message: 'found `5`, expected `:`',
      place: { file: 'dir/x.rir', line: 2, column: 11 },
    });
  });

  it('suggests the nearest known word', () => {
    const help = (text: string): string | undefined => diagnosticsOf(() => parseModule(text, 'x.rir'))[0]?.help;
    assert.equal(help(valid.replace(' linear(', ' linaer(')), 'did you mean `linear`?');
    assert.equal(help(valid.replace('= random {seed', '= radnom {seed')), 'did you mean `random`?');
    assert.equal(help(valid.replace('exit(', 'exitt(')), 'did you mean `exit`?');
    assert.equal(help(valid.replace('network', 'nettwork')), 'did you mean `network`?');
    assert.equal(help(valid.replace('max_hops', 'maxhops')), 'did you mean `max_hops`?');
  });

  it('stops after 20 errors', () => {
    const faulty = valid.replace('entry(', `${'const @z : f32[1] = fill {value: 0}\n'.repeat(50)}entry(`);
    assert.equal(codesOf(faulty).length, 20);
  });

  it('records where nodes stood', () => {
    const module = parseModule(`// first line\n${valid}`, 'x.rir');
    assert(module.stage === 'network');
    const [op] = module.entry.ops;
    const lines = `// first line\n${valid}`.split('\n');
    assert.deepEqual(module.span, { line: 2, column: 1 });
    assert.equal(
      lines[(op?.span?.line ?? 0) - 1]?.slice((op?.span?.column ?? 0) - 1).startsWith(`${op?.result} :`),
      true,
    );
    assert.match(lines[(module.entry.yieldSpan?.line ?? 0) - 1] ?? '', /^ {2}yield/);
    assert.match(lines[(module.exit.span?.line ?? 0) - 1] ?? '', /^exit/);
  });

  it('refuses texts that are too large', () => {
    assert.deepEqual(codesOf(`${valid}//${' '.repeat(2 ** 22)}`), ['RC0406']);
    assert.deepEqual(codesOf(`network @n\n${'a\n'.repeat(100_001)}`), ['RC0406']);
  });

  const hostile = {
    empty: '',
    'one quote': '"',
    'open brackets': `network @n {a: ${'['.repeat(1e6)}`,
    'open parentheses': '('.repeat(1e6),
    'nested regions': 'entry(){'.repeat(2e5),
    'unknown characters': '?'.repeat(1e6),
    'unclosed strings': '@"a\n'.repeat(5e5),
    backslashes: `network @"${'\\'.repeat(1e6)}`,
    'long string': `network @"${'a'.repeat(4e6)}" {task: "${'b'.repeat(100)}"}`,
    'long word': 'n'.repeat(4e6),
    'long number': `network @n {context: ${'9'.repeat(4e6)}}`,
    'many arguments': `network @n\nconst @a = concat(${'@a, '.repeat(4e5)}@a)`,
    'many labels': `network @n\nconst @a = concat(${Array.from({ length: 2e5 }, (_, i) => `a${i}: @a`).join(', ')})`,
    'many fields': `network @n {${Array.from({ length: 2e5 }, (_, i) => `a${i}: 1`).join(', ')}}`,
    'many sizes': `network @n\nconst @a : f32[${'1, '.repeat(5e5)}1] = full {value: 0}`,
    'many ranges': `network @n\nblock ^0 mlp() { yield %0 } -> [${'^0..^999999, '.repeat(2e5)}exit]`,
    'many faulty lines': `network @n\n${'const = 1\n'.repeat(2e5)}`,
    'lone surrogates': 'network @"\ud800" \udfff',
  };
  for (const [name, text] of Object.entries(hostile)) {
    it(`ends in diagnostics: ${name}`, () => {
      const diagnostics = diagnosticsOf(() => parseModule(text, 'x.rir'));
      assert(diagnostics.length > 0 && diagnostics.length <= 20);
      for (const { message, help } of diagnostics) {
        assert(message.length < 300 && (help?.length ?? 0) < 300, message);
        assert.match(message + (help ?? ''), /^[^\n]*$/);
      }
    });
  }
});
