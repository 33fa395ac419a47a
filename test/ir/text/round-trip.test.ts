/** @file What is printed reads back as the same module, and prints the same again. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseModule } from '../../../ir/text/parse.ts';
import { printModule } from '../../../ir/text/print.ts';
import type { Attr, Network, Successor } from '../../../ir/types.ts';
import { verifyNetwork } from '../../../ir/verify/network.ts';
import { networkArbitrary, randomNetwork } from '../../support/random-network.ts';

/** Without what is never compared. */
function withoutSpans(module: unknown): unknown {
  return JSON.parse(
    JSON.stringify(module, (key, value: unknown) => (key === 'span' || key === 'yieldSpan' ? undefined : value)),
  );
}

function reread(network: Network): Network {
  const module = parseModule(printModule(network), 'printed.rir');
  assert(module.stage === 'network');
  return module;
}

/** A small network, with an attribute in it that the table knows or not. */
function withAttr(name: string, value: Attr): Network {
  const network = randomNetwork(1);
  const [first] = network.consts;
  assert(first !== undefined);
  return { ...network, consts: [{ ...first, attrs: Object.fromEntries([[name, value]]) }, ...network.consts.slice(1)] };
}

describe('text form', () => {
  it('prints what it has read, and reads what it has printed', () => {
    fc.assert(
      fc.property(networkArbitrary(), (network) => {
        const text = printModule(network);
        const back = reread(network);
        assert.equal(printModule(back), text);
        assert.deepEqual(withoutSpans(back), withoutSpans(network));
        assert.deepEqual(verifyNetwork(back), []);
      }),
      { numRuns: 300 },
    );
  });

  it('keeps any string inside its quotes, as value, key or name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 12 }), fc.string({ unit: 'grapheme' }), (name, value) => {
        const network = { ...withAttr(name, value), name };
        const text = printModule(network);
        assert.match(text, /^[ -~\n]*$/);
        assert.equal(text.split('\n').length, printModule(withAttr('a', 'b')).split('\n').length);
        const back = reread(network);
        assert.equal(back.name, name);
        assert.deepEqual(Object.entries(back.consts[0]?.attrs ?? {}), [[name, value]]);
      }),
    );
  });

  it('keeps names that no object or grammar may trip over', () => {
    for (const name of [
      '',
      '__proto__',
      'constructor',
      '"',
      '\\',
      '\n',
      '// no comment',
      '*/',
      ' ',
      '\u2028',
      '\ud800',
      'a b',
      '-',
      '7',
      '..',
    ]) {
      const network = { ...withAttr(name, 0), name };
      assert.equal(reread(network).name, name);
      assert.deepEqual(Object.keys(reread(network).consts[0]?.attrs ?? {}), [name]);
    }
  });

  it('keeps every finite double', () => {
    const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(finite, fc.array(finite), (value, values) => {
        assert(Object.is(reread(withAttr('value', value)).consts[0]?.attrs['value'], value));
        assert.deepEqual(reread(withAttr('values', values)).consts[0]?.attrs['values'], values);
      }),
    );
    for (const value of [-0, 5e-324, 1e21, 1e-7, 0.1 + 0.2, Number.MAX_VALUE]) {
      assert(Object.is(reread(withAttr('value', value)).consts[0]?.attrs['value'], value));
    }
  });

  it('writes three or more blocks in a row as a range', () => {
    const print = (...successors: Successor[]): string => {
      const network = randomNetwork(1);
      const text = printModule({
        ...network,
        entry: { ...network.entry, edge: { router: { kind: 'external' }, successors } },
      });
      const module = parseModule(text, 'x.rir');
      assert.deepEqual(module.entry.edge.successors, successors);
      return / -> external (\[.*\])/.exec(text)?.[1] ?? '';
    };
    assert.equal(print(1, 2), '[^1, ^2]');
    assert.equal(print(1, 2, 3), '[^1..^3]');
    assert.equal(print(5, 1, 3, 4, 5, 'exit', 7, 6, 8, 9), '[^5, ^1, ^3..^5, exit, ^7, ^6, ^8, ^9]');
    assert.equal(print(), '[]');
  });

  it('leaves comments and layout behind', () => {
    const text = printModule(randomNetwork(2, { oddNames: false }));
    const loose = text.replaceAll(', ', ' ,\r\n\t').replaceAll('\n', ' // a "comment"\n\n');
    assert.equal(printModule(parseModule(loose, 'x.rir')), text);
  });

  it('infers the types that are left out', () => {
    fc.assert(
      fc.property(networkArbitrary(), (network) => {
        const text = printModule(network);
        const untyped = text.replace(/^( {2}%(?:[^" ]+|"(?:[^"\\]|\\.)*")) : \S+\[[^\]]*\] =/gm, '$1 =');
        assert.notEqual(untyped, text);
        assert.equal(printModule(parseModule(untyped, 'x.rir')), text);
      }),
      { numRuns: 100 },
    );
  });
});
