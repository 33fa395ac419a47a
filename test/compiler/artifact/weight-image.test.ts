/** @file The weight image: layouts, padding, and weights that are refused. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ConstBuilder, roundRow, weightBytes } from '../../../ir/index.ts';
import type { Global, KernelProgram, Weight, WeightLayout, WeightSource } from '../../../ir/index.ts';
import { createConstants } from '../../../ir/interpreter/index.ts';
import { createConstReaders } from '../../../compiler/artifact/const-reader.ts';
import { fillWeights, weightImage } from '../../../compiler/artifact/index.ts';
import { packInt8, packPanels } from '../../../compiler/artifact/weight-image.ts';
import { hasCode, toyProgram } from '../../runtime/toy.ts';

function sourceOf(
  tensors: Readonly<Record<string, readonly number[]>>,
  value = (i: number): number => i,
): WeightSource {
  return {
    shape: (name) => tensors[name],
    names: () => Object.keys(tensors),
    read: (_name, from, to) => Float32Array.from({ length: to - from }, (_, i) => value(from + i)),
  };
}

function placed(consts: ConstBuilder, layouts: Readonly<Record<Global, WeightLayout>>, gap = 0): KernelProgram {
  let at = 0;
  const weights = Object.entries(layouts).map(([name, layout]): Weight => {
    const weight: Weight = {
      name: name as Global,
      shape: consts.type(name as Global).shape as readonly number[],
      layout,
      at,
    };
    at += weightBytes(weight) + gap;
    return weight;
  });
  return { ...toyProgram(), consts: consts.list(), weights };
}

/** The image, in one piece of `bytes`. */
async function image(program: KernelProgram, source: WeightSource, bytes: number): Promise<Float32Array> {
  const into = new Uint8Array(bytes);
  await fillWeights(program, source, { into });
  return new Float32Array(into.buffer);
}

describe('weight image', () => {
  it('packs matrices into panels, with zeros where rows are missing', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 9 }), (rows, inner) => {
        const matrix = Float32Array.from({ length: rows * inner }, (_, i) => i + 1);
        const packed = packPanels(matrix, rows, inner);
        const expected = Array.from({ length: Math.ceil(rows / 8) * 8 * inner }, (_, i) => {
          const [panel, column, lane] = [Math.floor(i / (8 * inner)), Math.floor(i / 8) % inner, i % 8];
          const row = panel * 8 + lane;
          return row < rows ? row * inner + column + 1 : 0;
        });
        assert.deepEqual([...packed], expected);
      }),
    );
  });

  it('packs matrices into int8 panels: scales, then pairs of columns, with zeros where rows or columns are missing', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 9 }), (rows, inner) => {
        const matrix = Float32Array.from({ length: rows * inner }, (_, i) => Math.sin(i));
        const packed = packInt8(matrix, rows, inner);
        const size = 32 + 16 * Math.ceil(inner / 2);
        assert.equal(packed.length, size * Math.ceil(rows / 8));
        for (let row = 0; row < 8 * Math.ceil(rows / 8); row++) {
          const panel = packed.slice(size * Math.floor(row / 8), size * (Math.floor(row / 8) + 1));
          const numbers = Array.from({ length: 2 * Math.ceil(inner / 2) }, (_, k) => {
            return panel[32 + 16 * Math.floor(k / 2) + 2 * (row % 8) + (k % 2)];
          });
          const { scale, values } = roundRow(matrix.subarray(row * inner, (row + 1) * inner), 127);
          const expected = row < rows ? [...values, ...(inner % 2 === 1 ? [0] : [])] : numbers.map(() => 0);
          assert.deepEqual(numbers, expected);
          assert.equal(new Float32Array(panel.buffer, 0, 8)[row % 8], row < rows ? scale : 0);
        }
      }),
    );
  });

  it('puts weights at their places, and zeros between them', async () => {
    const consts = new ConstBuilder();
    consts.tensor('a', 'a', [3, 2]);
    consts.add('b', 'full', [], { attrs: { value: 7 }, type: { dtype: 'f32', shape: [2] } });
    const program = placed(consts, { '@a': 'panels', '@b': 'rows' }, 8);
    const found = await image(program, sourceOf({ a: [3, 2] }), 128);
    assert.deepEqual([...found.subarray(0, 16)], [0, 2, 4, 0, 0, 0, 0, 0, 1, 3, 5, 0, 0, 0, 0, 0]);
    assert.deepEqual([...found.subarray(16, 22)], [0, 0, 7, 7, 0, 0]);
  });

  it('cuts large weights into pieces that follow one another', () => {
    const consts = new ConstBuilder();
    consts.tensor('wide', 'wide', [20, 200_000]);
    consts.tensor('long', 'long', [3_000_000]);
    const program = placed(consts, { '@wide': 'panels', '@long': 'rows' });
    const value = (i: number): number => i % 1000;
    let end = 0;
    let pieces = 0;
    for (const { at, bytes } of weightImage(program, sourceOf({ wide: [20, 200_000], long: [3_000_000] }, value))) {
      assert.equal(at, end);
      assert.ok(bytes.byteLength <= 8 * 4 * 200_000);
      if (at === 0) {
        assert.deepEqual([...new Float32Array(bytes.buffer, bytes.byteOffset, 9)], [0, 0, 0, 0, 0, 0, 0, 0, 1]);
      }
      end += bytes.byteLength;
      pieces++;
    }
    assert.equal(end, (24 * 200_000 + 3_000_000) * 4);
    assert.equal(pieces, 6);
  });

  it('reads constants as the interpreter evaluates them, in any pieces', () => {
    const consts = new ConstBuilder();
    consts.tensor('a', 'a', [4, 3]);
    consts.tensor('b', 'b', [2, 3]);
    consts.add('ab', 'concat', ['@a', '@b'], { attrs: { axis: 0 } });
    consts.add('aa', 'concat', ['@a', '@a'], { attrs: { axis: 1 } });
    consts.add('part', 'slice', ['@ab'], { attrs: { axis: 0, from: 3, to: 6 } });
    consts.add('columns', 'slice', ['@ab'], { attrs: { axis: 1, from: 1, to: 3 } });
    consts.add('flat', 'reshape', ['@part'], { attrs: { shape: [9] } });
    consts.add('turned', 'transpose', ['@a']);
    consts.add('ones', 'full', [], { attrs: { value: 1 }, type: { dtype: 'f32', shape: [2, 3] } });
    consts.add('listed', 'values', [], { attrs: { data: [1, 2, 3] }, type: { dtype: 'f32', shape: [1, 3] } });
    consts.add('all', 'concat', ['@listed', '@ones', '@part'], { attrs: { axis: 0 } });
    consts.add('noise', 'random', [], { attrs: { seed: 3, mean: 0, std: 1 }, type: { dtype: 'f32', shape: [5] } });
    const source = sourceOf({ a: [4, 3], b: [2, 3] }, (i) => 2 * i);
    const readerOf = createConstReaders(consts.list(), source);
    const valueOf = createConstants(consts.list(), source);
    for (const { name } of consts.list()) {
      const expected = valueOf(name).data;
      const read = readerOf(name);
      for (let from = 0; from <= expected.length; from++) {
        for (let to = from; to <= expected.length; to++) {
          assert.deepEqual([...read(from, to)], [...expected.subarray(from, to)], `${name} [${from}, ${to})`);
        }
      }
    }
  });

  it('names the tensor that is not finite or does not fit', async () => {
    const consts = new ConstBuilder();
    consts.tensor('a', 'layers.0.weight', [4, 3]);
    consts.add('t', 'transpose', ['@a']);
    const bad = sourceOf({ 'layers.0.weight': [4, 3] }, (i) => (i === 5 ? NaN : i));
    for (const program of [placed(consts, { '@a': 'rows' }), placed(consts, { '@t': 'panels' })]) {
      await assert.rejects(image(program, bad, 256), hasCode('RC0119', /element 5 is NaN[^]*layers\.0\.weight/));
      await assert.rejects(
        image(program, sourceOf({ 'layers.0.weight': [3, 4] }), 256),
        hasCode('RC0833', /\[3, 4\].*\[4, 3\]/),
      );
    }
  });

  it('can be aborted', async () => {
    const consts = new ConstBuilder();
    consts.tensor('a', 'a', [3]);
    const options = { into: new Uint8Array(64), signal: AbortSignal.abort() };
    await assert.rejects(fillWeights(placed(consts, { '@a': 'rows' }), sourceOf({ a: [3] }), options), {
      name: 'AbortError',
    });
  });
});
