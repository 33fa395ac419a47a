/** @file Text from tokens, piece by piece, in whole characters. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { createStopFilter } from '../../runtime/text.ts';
import type { Tokenizer } from '../../runtime/text.ts';
import { createTokenizer } from '../../runtime/tokenizer.ts';
import { sharedData } from '../support/shared.ts';

const letters = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 12 });

describe('stop strings', () => {
  it('are found however the text is cut', () => {
    fc.assert(
      fc.property(
        fc.array(letters),
        fc.array(
          letters.filter((stop) => stop !== ''),
          { maxLength: 3 },
        ),
        (parts, stops) => {
          const filter = createStopFilter(stops);
          let shown = '';
          for (const part of parts) shown += filter.push(part);
          const whole = parts.join('');
          const places = stops.map((stop) => whole.indexOf(stop)).filter((at) => at >= 0);
          assert.equal(filter.stopped(), places.length > 0);
          if (!filter.stopped()) shown += filter.flush();
          // A longer stop string may begin earlier than the one that is complete first.
          if (places.length === 0) assert.equal(shown, whole);
          else assert.ok(whole.startsWith(shown) && !stops.some((stop) => shown.includes(stop)));
        },
      ),
    );
  });
});

function load(folder: string): Tokenizer {
  const json = (file: string): unknown => JSON.parse(readFileSync(`${folder}/${file}`, 'utf8'));
  return createTokenizer(json('tokenizer.json'), json('tokenizer_config.json'));
}

const textOf = (tokenizer: Tokenizer, ids: readonly number[], context: readonly number[] = []): string => {
  const stream = tokenizer.stream(context);
  return ids.map((id) => stream.push(id)).join('') + stream.flush();
};

describe('tokenizer', () => {
  it('reads OPT texts as its authors do, and gives them back', function () {
    const folder = sharedData('opt-tokenizer');
    if (folder === undefined) return this.skip();
    const tokenizer = load(folder);
    const { cases } = JSON.parse(readFileSync(`${folder}/expected.json`, 'utf8')) as {
      cases: { text: string; ids: number[] }[];
    };
    for (const { text, ids } of cases) {
      assert.deepEqual([2, ...tokenizer.encode(text)], ids);
      assert.equal(textOf(tokenizer, ids), text);
    }
  });

  it('gives any text back, piece by piece and without broken characters', function () {
    const folders = ['opt-tokenizer', 'stories260k'].map(sharedData);
    const found = folders.filter((folder) => folder !== undefined);
    if (found.length < folders.length) return this.skip();
    for (const tokenizer of found.map(load)) {
      fc.assert(
        fc.property(
          fc.string({ unit: 'grapheme', maxLength: 20 }),
          fc.string({ unit: 'grapheme', maxLength: 20 }),
          (before, after) => {
            fc.pre(!/<|\u2581/.test(before + after));
            const ids = tokenizer.encode(before + after);
            assert.equal(textOf(tokenizer, ids), before + after);
            const cut = Math.floor(ids.length / 2);
            const stream = tokenizer.stream([]);
            const head = ids
              .slice(0, cut)
              .map((id) => stream.push(id))
              .join('');
            assert.equal(head + textOf(tokenizer, ids.slice(cut), ids.slice(0, cut)), before + after);
            assert.ok(!head.includes('\ufffd') || before.includes('\ufffd') || after.includes('\ufffd'));
          },
        ),
      );
    }
  });

  it('writes Llama pieces with their spaces, and leaves special tokens out', function () {
    const folder = sharedData('stories260k');
    if (folder === undefined) return this.skip();
    const tokenizer = load(folder);
    const ids = tokenizer.encode('Once upon');
    assert.equal(textOf(tokenizer, [1, ...ids, 2]), 'Once upon');
    assert.equal(textOf(tokenizer, tokenizer.encode(' time'), [1, ...ids]), '  time');
    assert.equal(textOf(tokenizer, [3 + 0xe2, 3 + 0x82]), '\ufffd');
    assert.equal(textOf(tokenizer, [3 + 0xac], [3 + 0xe2, 3 + 0x82]), '€');
  });

  it('knows other decoders', () => {
    const model = { type: 'BPE', vocab: { '\u2581a': 0, b: 1, 'x\u1234': 2 }, merges: [], unk_token: null };
    const make = (decoder: unknown): Tokenizer =>
      createTokenizer(
        { added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder, model },
        undefined,
      );
    assert.equal(textOf(make({ type: 'Metaspace', replacement: '\u2581' }), [0, 1, 0]), 'ab a');
    assert.equal(
      textOf(make({ type: 'Metaspace', replacement: '\u2581', prepend_scheme: 'never' }), [0, 1, 0]),
      ' ab a',
    );
    assert.equal(textOf(make(null), [1, 1]), 'b b');
    assert.equal(textOf(make({ type: 'ByteLevel' }), [1, 2, 9]), 'bx\u1234');
    assert.throws(() => make({ type: 'CTC' }), /decoder/);
    assert.throws(() => createTokenizer(3, {}), /object/);
  });
});
