/** @file The chunks of a weight image. */
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createChunkWriter } from '../../../compiler/artifact/chunks.ts';
import { CHUNK_BYTES } from '../../../runtime/artifact/index.ts';
import { withFolder } from '../../runtime/toy.ts';

describe('chunks', () => {
  it('have 16 MiB each, but the last', () =>
    withFolder(async (folder) => {
      const writer = createChunkWriter(folder);
      const bytes = Uint8Array.from({ length: 1 << 20 }, (_, i) => i % 251);
      for (let at = 100; at < 2 * CHUNK_BYTES; at += bytes.byteLength) writer.write(at, bytes);
      const total = 2 * CHUNK_BYTES + 5000;
      const entries = writer.finish(total);
      writer.close();
      assert.deepEqual(
        entries.map((entry) => entry.bytes),
        [CHUNK_BYTES, CHUNK_BYTES, 5000],
      );
      const joined = Buffer.concat(entries.map(({ file }) => readFileSync(join(folder, file))));
      assert.equal(joined.byteLength, total);
      assert.deepEqual([...joined.subarray(98, 104)], [0, 0, 0, 1, 2, 3]);
      const end = 100 + 32 * bytes.byteLength;
      assert.equal(joined[end - 1], bytes.at(-1));
      assert.ok(joined.subarray(end).every((byte) => byte === 0));
      for (const { file, sha256: hash } of entries) assert.equal(file.slice(-68), `${hash}.bin`);
    }));

  it('end where the image ends', () =>
    withFolder(async (folder) => {
      const writer = createChunkWriter(folder);
      writer.write(0, new Uint8Array(CHUNK_BYTES));
      assert.equal(writer.finish(CHUNK_BYTES).length, 1);
      assert.equal(statSync(join(folder, 'weights')).isDirectory(), true);
    }));
});
