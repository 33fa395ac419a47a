/** @file Windows in which each token of the text is predicted once. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { windowsOf } from '../../../../compiler/routing/eval/windows.ts';
import type { Window } from '../../../../compiler/routing/eval/windows.ts';
import type { Codec } from '../../../../compiler/routing/text/codec.ts';
import { describeFile } from '../../../../compiler/routing/text/files.ts';

/** A token for each character. */
function characters(...start: readonly number[]): Codec {
  return {
    start,
    encode: async (text) => Array.from(text, (char) => char.codePointAt(0) ?? 0),
    decode: async (ids) => String.fromCodePoint(...ids),
  };
}

describe('the windows of an evaluation', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'radialc-windows-'));
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  async function cut(
    codec: Codec,
    texts: readonly string[],
    size: number,
    maxTokens: number | null = null,
  ): Promise<readonly Window[]> {
    const paths = texts.map((text, i) => {
      writeFileSync(join(folder, `${i}.txt`), text);
      return join(folder, `${i}.txt`);
    });
    const { signal } = new AbortController();
    const files = await Promise.all(paths.map((path) => describeFile(path, 'text', signal)));
    const windows: Window[] = [];
    for await (const window of windowsOf(codec, { paths, files, maxTokens }, size)) windows.push(window);
    return windows;
  }
  const shown = (windows: readonly Window[]): readonly (readonly string[])[] =>
    windows.map(({ ids, targets }) => [String.fromCodePoint(...ids), String.fromCodePoint(...targets)]);

  it('begin with the start token, which predicts the first token of each', async () => {
    assert.deepEqual(shown(await cut(characters(0x3e), ['abcdefg', 'xy'], 3)), [
      ['>ab', 'abc'],
      ['>de', 'def'],
      ['>', 'g'],
      ['>x', 'xy'],
    ]);
  });

  it('begin with text where there is no start token, and end with the first prediction of the next', async () => {
    assert.deepEqual(shown(await cut(characters(), ['abcdefg', 'x', 'xy'], 3)), [
      ['abc', 'bcd'],
      ['def', 'efg'],
      ['x', 'y'],
    ]);
    assert.deepEqual(shown(await cut(characters(), ['abc'], 1)), [
      ['a', 'b'],
      ['b', 'c'],
    ]);
  });

  it('predict each token once, of long texts too, and count all bytes', async () => {
    const text = 'né plus ultra, '.repeat(2000);
    for (const [codec, unpredicted] of [
      [characters(0x3e), 0],
      [characters(), 1],
    ] as const) {
      const windows = await cut(codec, [text], 17);
      const targets = windows.flatMap(({ targets: each }) => each);
      assert.equal(String.fromCodePoint(...targets.slice(0, 20_000)), text.slice(unpredicted, 20_000 + unpredicted));
      assert.equal(targets.length, text.length - unpredicted);
      assert.equal(
        windows.reduce((sum, { bytes }) => sum + bytes, 0),
        Buffer.byteLength(text),
      );
    }
  });

  it('read no more tokens than they may, and their bytes only', async () => {
    const windows = await cut(characters(0x3e), ['ééé', 'bcd'], 2, 4);
    assert.deepEqual(shown(windows), [
      ['>é', 'éé'],
      ['>', 'é'],
      ['>', 'b'],
    ]);
    assert.equal(
      windows.reduce((sum, { bytes }) => sum + bytes, 0),
      7,
    );
    assert.equal(windows.at(-1)?.progress, 1);
  });
});
