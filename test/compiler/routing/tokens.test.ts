/** @file Encoding in pieces gives the ids of the whole text, for byte-level and for SentencePiece tokenizers. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeParts } from '../../../compiler/routing/text/tokens.ts';
import type { Encode } from '../../../compiler/routing/text/tokens.ts';
import { createTokenizer } from '../../../runtime/tokenizer.ts';
import { sharedData } from '../../support/shared.ts';
import { tokenizerJson } from '../cli/support.ts';

function parts(text: string, size: number): readonly { readonly text: string }[] {
  return Array.from({ length: Math.ceil(text.length / size) }, (_, i) => ({
    text: text.slice(i * size, (i + 1) * size),
  }));
}

async function inPieces(text: string, encode: Encode, size = 5000): Promise<{ ids: number[]; pieces: number }> {
  const ids: number[] = [];
  let pieces = 0;
  for await (const run of encodeParts(parts(text, size), encode)) {
    ids.push(...run.ids);
    pieces++;
  }
  return { ids, pieces };
}

const readJson = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));

/** A word for each number. */
function words(count: number): string {
  const letters = (n: number): string => String.fromCharCode(0x61 + (n % 26), 0x61 + (Math.floor(n / 26) % 26));
  return Array.from({ length: count }, (_, n) => `the${letters(n)}${n % 9 === 0 ? '.' : ''}`).join(' ');
}

describe('encoding piece by piece', () => {
  const tiny = createTokenizer(tokenizerJson(), undefined);
  const encode: Encode = async (text) => tiny.encode(text);

  it('gives the ids of the whole text, wherever its parts are cut', async () => {
    const text = words(12_000);
    const whole = tiny.encode(text);
    for (const size of [1, 777, 8192, 8256, 8257, 1_000_000]) {
      const { ids, pieces } = await inPieces(text, encode, size);
      assert.deepEqual(ids, whole);
      assert.ok(pieces >= Math.floor(text.length / 8192), String(pieces));
    }
  });

  it('asks for no more than a piece at a time', async () => {
    let longest = 0;
    const { pieces } = await inPieces(words(50_000), async (text) => {
      longest = Math.max(longest, text.length);
      return tiny.encode(text);
    });
    assert.ok(longest < 8192 + 64, String(longest));
    assert.ok(pieces > 20);
  });

  it('cuts a text without spaces between characters', async () => {
    const seen: string[] = [];
    const text = `a${'\u{1f600}'.repeat(20_000)}`;
    await inPieces(text, async (piece) => {
      seen.push(piece);
      return [];
    });
    assert.equal(seen.join(''), text);
    assert.ok(seen.every((piece) => Buffer.from(piece).toString() === piece));
  });

  it('gives one short text whole, and nothing for nothing', async () => {
    assert.deepEqual(await inPieces('the cat', encode), { ids: tiny.encode('the cat'), pieces: 1 });
    assert.deepEqual(await inPieces('', encode), { ids: [], pieces: 0 });
  });

  for (const name of ['opt-tokenizer', 'stories260k']) {
    it(`agrees with the whole text for ${name} (../shared/data; skipped where it is absent)`, async function () {
      const [folder, wiki] = [sharedData(name), sharedData('wikitext-2/valid.txt')];
      if (folder === undefined || wiki === undefined) return this.skip();
      const tokenizer = createTokenizer(
        readJson(join(folder, 'tokenizer.json')),
        readJson(join(folder, 'tokenizer_config.json')),
      );
      const text = readFileSync(wiki, 'utf8').slice(0, 120_000);
      const { ids, pieces } = await inPieces(text, async (piece) => tokenizer.encode(piece));
      assert.deepEqual(ids, tokenizer.encode(text));
      assert.ok(pieces > 10);
    });
  }
});
