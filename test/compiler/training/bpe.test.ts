/** @file The trained tokenizer: deterministic, and lossless through the library that the runtime uses. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { byteLetters, specialTokens, trainBpe } from '../../../compiler/training/bpe.ts';
import { openTokenizer, tokenizerFiles } from '../../../compiler/training/tokenizer-files.ts';

const texts = ['the cat sat on the mat; the cat sat.', "We're the people, 1790 and 1791: the people."];
const smallest = specialTokens.length + 256;

describe('training a tokenizer', () => {
  it('merges the most frequent pair first, and the smaller text of two that are equally frequent', () => {
    const { tokens, merges } = trainBpe(['abab abab', 'abab cd'], smallest + 2);
    // " abab" occurs once, and "cd" once: neither compresses anything.
    assert.deepEqual(merges, [
      ['a', 'b'],
      ['ab', 'ab'],
    ]);
    assert.deepEqual(tokens.slice(smallest), ['ab', 'abab']);
  });

  it('stops early when nothing occurs twice', () => {
    assert.equal(trainBpe(['abc'], 1024).tokens.length, smallest);
  });

  it('never merges across the borders of words', () => {
    const { tokens } = trainBpe(texts, 1024);
    assert.deepEqual(
      tokens.filter((token) => token.slice(1).includes(byteLetters()[0x20] ?? '')),
      [],
    );
  });

  it('has an alphabet of 256 different letters, none of them blank', () => {
    const letters = byteLetters();
    assert.equal(new Set(letters).size, 256);
    assert.ok(letters.every((letter) => letter.length === 1 && letter.trim() === letter));
  });

  it('gives OPT its ids of special tokens', () => {
    const { tokenizer } = tokenizerFiles(trainBpe(texts, 300), 64);
    assert.match(JSON.stringify(tokenizer), /"<\/s>":\{"id":"<\/s>","ids":\[2\]/);
    assert.deepEqual(trainBpe(texts, 300).tokens.slice(0, 4), ['<s>', '<pad>', '</s>', '<unk>']);
  });

  it('round-trips any text', () => {
    const codec = openTokenizer(tokenizerFiles(trainBpe(texts, 320), 64));
    const special = new RegExp(specialTokens.join('|'));
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), (text) => {
        fc.pre(!special.test(text));
        assert.equal(codec.decode(codec.encode(text)), text);
      }),
      { numRuns: 300 },
    );
    for (const text of [...texts, '', ' ', '  two  blanks\n\n', 'Zürich — 東京 🎉']) {
      assert.equal(codec.decode(codec.encode(text)), text);
    }
  });

  it('makes frequent words one token', () => {
    const codec = openTokenizer(tokenizerFiles(trainBpe(texts, 320), 64));
    assert.equal(codec.encode(' the').length, 1);
  });
});
