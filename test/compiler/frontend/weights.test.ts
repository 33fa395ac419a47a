/** @file Weights: written and read again, in one file and in shards, and every way in which shards can be wrong. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import {
  bytesPerWeight,
  f16ToF32,
  f32ToBf16,
  f32ToF16,
  weightDtypes,
} from '../../../compiler/frontend/weights/dtypes.ts';
import { checkFinite } from '../../../compiler/frontend/weights/finite.ts';
import { openSafetensors } from '../../../compiler/frontend/weights/safetensors.ts';
import { openWeights } from '../../../compiler/frontend/weights/weights.ts';
import { writeSafetensors } from '../../../compiler/frontend/weights/writer.ts';
import type { TensorToWrite } from '../../../compiler/frontend/weights/writer.ts';
import { sharedData } from '../../support/shared.ts';
import { entry, failsWith, safetensors, withFolder } from './support.ts';

const SINGLE = 'model.safetensors';

const tensor = (name: string): Uint8Array => safetensors({ header: { [name]: entry('F32', [1], 0, 4) }, data: 4 });

const stored = fc.uniqueArray(
  fc.record({
    name: fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('__proto__', 'constructor', 'a.weight')),
    dtype: fc.constantFrom(...weightDtypes),
    shape: fc.array(fc.nat(4), { maxLength: 3 }),
    seed: fc.nat(1000),
  }),
  { selector: ({ name }) => name, maxLength: 6 },
);

function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

describe('writing and reading weights', () => {
  it('gives back what was written, rounded to its dtype', () => {
    fc.assert(
      fc.property(stored, (list) => {
        const values = list.map(({ shape, seed }) =>
          Float32Array.from({ length: elements(shape) }, (_, i) => Math.sin(seed + i) * 9),
        );
        const tensors = list.map(({ name, dtype, shape }, i) => ({
          name,
          dtype,
          shape,
          data: values[i] ?? new Float32Array(),
        }));
        withFolder({}, (folder) => {
          writeSafetensors(join(folder, SINGLE), tensors, { format: 'pt' });
          const weights = openWeights(folder);
          try {
            assert.deepEqual(new Set(weights.names()), new Set(list.map(({ name }) => name)));
            for (const { name, dtype, shape, data } of tensors) {
              assert.deepEqual([weights.dtype(name), weights.shape(name)], [dtype, shape]);
              assert.deepEqual(
                weights.read(name, 0, data.length),
                data.map((value) => round(value, dtype)),
              );
            }
            assert.equal(
              weights.totalElements,
              values.reduce((sum, { length }) => sum + length, 0),
            );
            assert.equal(
              weights.totalBytes,
              tensors.reduce((sum, { dtype, data }) => sum + data.length * bytesPerWeight[dtype], 0),
            );
          } finally {
            weights.close();
          }
        });
      }),
      { numRuns: 60 },
    );
  });

  it('reads ranges, also of data that is not aligned in the file', () => {
    const data = Buffer.alloc(1 + 6 + 12);
    [1, -2, 0.5].forEach((value, i) => {
      data.writeUInt16LE(f32ToF16(value), 1 + 2 * i);
      data.writeFloatLE(value, 7 + 4 * i);
    });
    const header = { pad: entry('U8', [1], 0, 1), half: entry('F16', [3], 1, 7), full: entry('F32', [3], 7, 19) };
    withFolder({ [SINGLE]: safetensors({ header, data }) }, (folder) => {
      const weights = openWeights(folder);
      for (const name of ['half', 'full']) {
        assert.deepEqual([...weights.read(name, 1, 3)], [-2, 0.5]);
        assert.deepEqual([...weights.read(name, 3, 3)], []);
        assert.throws(() => weights.read(name, 2, 4), /internal: elements 2 to 4/);
        assert.throws(() => weights.read(name, 0, 1.5), /internal:/);
      }
      weights.close();
    });
  });

  it('keeps subnormals and signed zeros of F16', () => {
    const data = Buffer.alloc(8);
    const bits = [0x0001, 0xfbff, 0x83ff, 0x8000];
    bits.forEach((pattern, i) => data.writeUInt16LE(pattern, 2 * i));
    withFolder({ [SINGLE]: safetensors({ header: { a: entry('F16', [4], 0, 8) }, data }) }, (folder) => {
      const weights = openWeights(folder);
      assert.deepEqual([...weights.read('a', 0, 4)], bits.map(f16ToF32));
      weights.close();
    });
  });

  it('writes parts that are longer than its own chunks, in order', () => {
    const part = (from: number): Float32Array => Float32Array.from({ length: 100_000 }, (_, i) => from + i);
    const parts = function* (): Iterable<Float32Array> {
      yield part(0);
      yield part(100_000);
    };
    withFolder({}, (folder) => {
      writeSafetensors(join(folder, SINGLE), [{ name: 'a', dtype: 'F32', shape: [2, 100_000], data: parts() }]);
      const weights = openWeights(folder);
      assert.deepEqual(weights.read('a', 99_998, 100_002), Float32Array.of(99_998, 99_999, 100_000, 100_001));
      weights.close();
    });
  });

  it('writes aligned headers and the same bytes each time', () => {
    const list: TensorToWrite[] = [
      { name: 'h', dtype: 'F16', shape: [1], data: Float32Array.of(1) },
      { name: 'f', dtype: 'F32', shape: [1], data: Float32Array.of(2) },
    ];
    withFolder({}, (folder) => {
      for (const name of ['a', 'b']) writeSafetensors(join(folder, name), list);
      const bytes = readFileSync(join(folder, 'a'));
      assert.deepEqual(bytes, readFileSync(join(folder, 'b')));
      assert.equal(bytes.readBigUInt64LE() % 8n, 0n);
      const file = openSafetensors(join(folder, 'a'));
      assert.deepEqual([...file.tensors.keys()], ['f', 'h']);
      file.close();
    });
  });

  it('leaves the old file and nothing else when writing fails', () => {
    withFolder({ [SINGLE]: 'old' }, (folder) => {
      const path = join(folder, SINGLE);
      const write = (data: Float32Array, dtype: TensorToWrite['dtype'] = 'F16') => {
        writeSafetensors(path, [{ name: 'a', dtype, shape: [2], data }]);
      };
      const { place, message, help } = failsWith('RC0144', () => {
        write(Float32Array.of(1, 70_000));
      });
      assert.equal(place?.subject, 'tensor "a"');
      assert.match(message, /element 1 is 70000/);
      assert.match(help ?? '', /BF16/);
      failsWith('RC0144', () => {
        write(Float32Array.of(3.4e38, 1), 'BF16');
      });
      assert.throws(() => {
        write(Float32Array.of(1));
      }, /internal: 1 elements given/);
      assert.deepEqual(readdirSync(folder), [SINGLE]);
      assert.equal(readFileSync(path, 'utf8'), 'old');
      const refused = failsWith('RC0143', () => {
        writeSafetensors(join(folder, 'none', SINGLE), []);
      });
      assert.equal(refused.place?.file, join(folder, 'none', SINGLE));
      const twice: TensorToWrite = { name: 'a', dtype: 'F32', shape: [0], data: [] };
      assert.throws(() => {
        writeSafetensors(path, [twice, twice]);
      }, /internal: .* "a"/);
    });
  });
});

function round(value: number, dtype: TensorToWrite['dtype']): number {
  if (dtype === 'F32') return value;
  if (dtype === 'F16') return f16ToF32(f32ToF16(value));
  return new Float32Array(Uint32Array.of(f32ToBf16(value) << 16).buffer)[0] ?? NaN;
}

describe('weights that cannot be used', () => {
  it('RC0117: a dtype that weights cannot have, only when it is read', () => {
    const header = { mask: entry('BOOL', [4], 0, 4), ids: entry('I64', [1], 4, 12) };
    withFolder({ [SINGLE]: safetensors({ header, data: 12 }) }, (folder) => {
      const weights = openWeights(folder);
      assert.equal(weights.dtype('ids'), 'I64');
      const { message, place } = failsWith('RC0117', () => weights.read('ids', 0, 1));
      assert.match(message, /I64/);
      assert.equal(place?.subject, 'tensor "ids"');
      weights.close();
    });
  });

  it('RC0118: a tensor that is not there', () => {
    withFolder({ [SINGLE]: tensor('model.norm.weight') }, (folder) => {
      const weights = openWeights(folder);
      assert.match(
        failsWith('RC0118', () => weights.read('model.norm.weigth', 0, 1)).help ?? '',
        /model\.norm\.weight/,
      );
      assert.deepEqual([weights.shape('x'), weights.dtype('x'), weights.file('x')], [undefined, undefined, undefined]);
      weights.close();
    });
  });

  it('RC0119: NaN and infinities, with their index', () => {
    checkFinite(Float32Array.of(0, -0, -1, 3e38, -3e38, 1e-45), { tensor: 'a', offset: 0 });
    const { message, place } = failsWith('RC0119', () => {
      checkFinite(Float32Array.of(0, NaN), { tensor: 'a', offset: 100 });
    });
    assert.equal(message, 'element 101 is NaN');
    assert.equal(place?.subject, 'tensor "a"');
    assert.match(
      failsWith('RC0119', () => {
        checkFinite(Float32Array.of(-Infinity), { tensor: 'a', offset: 0 });
      }).message,
      /0 is -Infinity/,
    );
  });

  it('RC0119: every reader is told, in each dtype, with the file', () => {
    const data = Buffer.alloc(16);
    data.writeFloatLE(Infinity, 4);
    data.writeUInt16LE(0x7e00, 10);
    data.writeUInt16LE(0xff80, 14);
    const header = { f32: entry('F32', [2], 0, 8), f16: entry('F16', [2], 8, 12), bf16: entry('BF16', [2], 12, 16) };
    withFolder({ [SINGLE]: safetensors({ header, data }) }, (folder) => {
      const weights = openWeights(folder);
      for (const [name, found] of [
        ['f32', 'Infinity'],
        ['f16', 'NaN'],
        ['bf16', '-Infinity'],
      ] as const) {
        assert.deepEqual([...weights.read(name, 0, 1)], [0]);
        const { message, place } = failsWith('RC0119', () => weights.read(name, 1, 2));
        assert.equal(message, `element 1 is ${found}`);
        assert.deepEqual(place, { file: join(folder, SINGLE), subject: `tensor "${name}"` });
      }
      weights.close();
    });
  });

  it('RC0120: a folder with nothing but pickled weights', () => {
    withFolder({ 'pytorch_model.bin': 'x' }, (folder) => {
      assert.match(failsWith('RC0120', () => openWeights(folder)).message, /no model\.safetensors/);
    });
  });

  it('RC0142: a folder without weights', () => {
    withFolder({ 'adapter_model.safetensors': 'x' }, (folder) => {
      assert.match(failsWith('RC0142', () => openWeights(folder)).message, /adapter_model\.safetensors/);
    });
  });
});

describe('real weights', () => {
  it('opens the reference checkpoints and finds them finite', function () {
    const folders = ['stories260k', 'gpt-nano-sort', 'tiny-random/opt-pre', 'tiny-random/vit'].map(sharedData);
    if (folders.includes(undefined)) this.skip();
    for (const folder of folders) {
      const weights = openWeights(folder ?? '');
      for (const name of weights.names()) weights.read(name, 0, elements(weights.shape(name) ?? []));
      weights.close();
    }
  });
});
