/** @file Strict JSON: what is read, what is refused, and where the fault is said to be. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isJsonObject, parseJson, readJsonFile } from '../../../compiler/frontend/json.ts';
import { RadialError } from '../../../ir/diagnostics/diagnostic.ts';
import { failsWith, withFolder } from './support.ts';

const parse = (text: string) => parseJson(Buffer.from(text), 'a.json');

describe('strict JSON', () => {
  it('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), fc.nat(3), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        assert.equal(JSON.stringify(parse(text).value), JSON.stringify(JSON.parse(text)));
      }),
    );
  });

  it('refuses what JSON.parse refuses, with a position', () => {
    const mutated = fc
      .tuple(fc.json(), fc.nat(), fc.constantFrom('"', '\\', '{', '}', ',', ':', '-', '.', 'e', '0', '\n', 'x', ''))
      .map(([text, at, char]) => text.slice(0, at % text.length) + char + text.slice((at % text.length) + 1));
    fc.assert(
      fc.property(mutated, (text) => {
        let sound = true;
        try {
          JSON.parse(text);
        } catch {
          sound = false;
        }
        try {
          parse(text);
        } catch (error) {
          assert.ok(error instanceof RadialError, String(error));
          const [first] = error.diagnostics;
          assert.ok((first?.place?.line ?? 0) >= 1 && (first?.place?.column ?? 0) >= 1);
          // Stricter than JSON.parse only here: duplicate keys, infinite numbers, halves of surrogate pairs.
          assert.ok(!sound || first?.code !== 'RC0150' || first.message.includes('surrogate'), text);
          return;
        }
        assert.ok(sound, text);
      }),
      { numRuns: 2000 },
    );
  });

  it('says line and column', () => {
    const { place, message } = failsWith('RC0150', () => parse('{\n  "a": 1,\n  "é": nul\n}'));
    assert.deepEqual(place, { file: 'a.json', line: 3, column: 8 });
    assert.match(message, /expected a value, found "n"/);
  });

  for (const [text, found] of [
    ['', 'end of the text'],
    ['[1,]', '"]"'],
    ['{"a":1,}', '"}"'],
    ["{'a':1}", '"\'"'],
    ['NaN', '"N"'],
    ['-', 'end of the text'],
    ['01', '"1"'],
    ['1.', 'end of the text'],
    ['.5', '"."'],
    ['"a', 'not closed'],
    ['"a\\"', 'not closed'],
    ['"\t"', 'control character'],
    ['"\\x41"', 'escape'],
    ['"\\ud800"', 'surrogate'],
    ['1 2', '"2"'],
    ['// c\n1', '"/"'],
  ] as const) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.ok(failsWith('RC0150', () => parse(text)).message.includes(found));
    });
  }

  it('refuses duplicate keys, also when they are spelled differently', () => {
    const { place, message } = failsWith('RC0151', () => parse('{"a": {"b": 1,\n"\\u0062": 2}}'));
    assert.equal(place?.line, 2);
    assert.equal(place.column, 1);
    assert.match(message, /"b" is given twice/);
    failsWith('RC0151', () => parse('{"__proto__": 1, "__proto__": 2}'));
  });

  it('takes __proto__ and constructor as keys like any other', () => {
    const { value } = parse('{"__proto__": {"polluted": 1}, "constructor": 2, "toString": 3}');
    assert.ok(isJsonObject(value));
    assert.equal(Object.getPrototypeOf(value), null);
    assert.deepEqual(Object.keys(value), ['__proto__', 'constructor', 'toString']);
    const ordinary: Record<string, unknown> = {};
    assert.equal(ordinary['polluted'], undefined);
  });

  it('limits the depth instead of running out of stack', () => {
    assert.doesNotThrow(() => parse('['.repeat(60) + ']'.repeat(60)));
    failsWith('RC0152', () => parse('['.repeat(5_000_000)));
    failsWith('RC0152', () => parse('{"a":'.repeat(1_000_000)));
  });

  it('refuses numbers that would become infinite', () => {
    failsWith('RC0153', () => parse('[1e400]'));
    failsWith('RC0153', () => parse('-1e999'));
    assert.equal(parse('1e-400').value, 0);
  });

  it('skips a byte order mark and refuses bad UTF-8', () => {
    assert.equal(parse('\ufeff1').value, 1);
    const { help } = failsWith('RC0154', () => parseJson(Uint8Array.of(0x22, 0xc3, 0x28, 0x22), 'a.json'));
    assert.ok(help !== undefined);
  });

  it('limits the size of files before it reads them', () => {
    withFolder({ 'big.json': Buffer.alloc(10_000_001, ' ') }, (folder) => {
      assert.match(failsWith('RC0155', () => readJsonFile(folder, 'big.json')).message, /10000001 bytes/);
    });
  });

  it('finds the place of a value again, or of what is nearest to it', () => {
    const document = parse('{"a": [1,\n {"b": 2}], "__proto__": 3}');
    const at = (...path: (string | number)[]) => {
      const { line, column } = document.place(path);
      return [line, column];
    };
    assert.deepEqual(at(), [1, 1]);
    assert.deepEqual(at('a'), [1, 7]);
    assert.deepEqual(at('a', 1), [2, 2]);
    assert.deepEqual(at('a', 1, 'b'), [2, 8]);
    assert.deepEqual(at('a', 1, 'missing'), [2, 2]);
    assert.deepEqual(at('a', 7), [1, 7]);
    assert.deepEqual(at('__proto__'), [2, 26]);
    assert.equal(document.place(['a', 1, 'b']).subject, 'field "a.1.b"');
  });
});
