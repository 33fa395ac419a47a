/** @file What a manifest says of a program. */
import assert from 'node:assert/strict';
import { describeProgram } from '../../../compiler/artifact/index.ts';
import { toyProgram } from '../../runtime/toy.ts';

describe('describeProgram', () => {
  const facts = {
    family: 'toy',
    target: 'wasm-simd',
    dtype: 'fp32',
    tokens: { bos: null, addBos: false, eos: [] },
    labels: [],
  };

  it('needs a planned program', () => {
    const program = toyProgram();
    assert.throws(() => describeProgram({ ...program, memory: null }, facts), /internal: the memory/);
    const buffers = program.buffers.map((buffer) => ({ ...buffer, at: null }));
    assert.throws(() => describeProgram({ ...program, buffers }, facts), /internal: buffer \$ids/);
    assert.throws(() => describeProgram({ ...program, buffers: [] }, facts), /internal: the program has no buffer/);
  });

  it('gives the KV plan in bytes and the image of an image program', () => {
    const base = toyProgram();
    const attrs = { channels: 3, height: 8, width: 4, size: 4 };
    const info = describeProgram(
      {
        ...base,
        task: 'image-classification',
        bodies: [
          { name: 'entry', formals: [], kernels: [{ kind: 'patchify', out: null, inputs: {}, attrs }], fill: [] },
        ],
        kv: {
          slots: 16,
          width: 8,
          lists: 2,
          pages: 6,
          pagesPerList: 3,
          entriesPerList: 40,
          bytesPerTokenStatic: 128,
          bytesPerTokenWorst: 256,
          at: 0,
        },
      },
      facts,
    );
    assert.deepEqual(info.shapes.image, { channels: 3, height: 8, width: 4 });
    assert.equal(info.kv?.pageBytes, 2 * 16 * 8 * 4);
  });
});
