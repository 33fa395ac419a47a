/**
 * @file Golden files: `test/golden/<pass>/<behaviour>.rir`.
 *
 * The first line names the passes, `// options:` what is asked of them, further comments say why the file exists. After
 * `// ---` follows what comes out, or `// unchanged`: then the passes must return the very same module.
 * `BLESS=1 npx mocha test/passes/golden.test.ts` writes what comes out; read the difference before you commit it.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseModule, printModule } from '../../ir/index.ts';
import { passesNamed, runPasses } from '../../passes/index.ts';
import type { PassOptions } from '../../passes/index.ts';

const folder = fileURLToPath(new URL('../golden/', import.meta.url));
const SEPARATOR = '\n// ---\n';
const UNCHANGED = '// unchanged\n';

interface GoldenFile {
  readonly passes: readonly string[];
  readonly options: PassOptions;
  readonly input: string;
  readonly expected: string;
}

function readGolden(text: string): GoldenFile {
  const [input = '', expected = ''] = text.split(SEPARATOR);
  const passes = /^\/\/ passes: (.+)$/m.exec(input)?.[1];
  assert(passes !== undefined && input.startsWith('// passes:'), 'the first line names the passes');
  const options = /^\/\/ options: (.+)$/m.exec(input)?.[1] ?? '';
  return { passes: passes.split(', '), options: readOptions(options), input, expected };
}

function readOptions(text: string): PassOptions {
  const pairs = text
    .split(', ')
    .filter((pair) => pair !== '')
    .map((pair) => pair.split('='));
  const entries = pairs.map(([name = '', value = '']) => [
    name,
    /^(\d+|true|\{.*\})$/.test(value) ? (JSON.parse(value) as unknown) : value,
  ]);
  return Object.fromEntries(entries) as PassOptions;
}

describe('golden files', () => {
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.rir'))
    .sort()) {
    it(path, () => {
      const text = readFileSync(folder + path, 'utf8');
      const { passes, options, input, expected } = readGolden(text);
      const before = parseModule(input, path);
      const { module: after } = runPasses(before, passesNamed(passes), { options });
      if (expected === UNCHANGED) {
        assert(after === before, `changed to\n${printModule(after)}`);
        return;
      }
      const found = printModule(after);
      assert.equal(printModule(parseModule(found, path)), found);
      if (process.env['BLESS'] === '1') writeFileSync(folder + path, `${input}${SEPARATOR}${found}`);
      else assert.equal(found, expected);
    });
  }
});
