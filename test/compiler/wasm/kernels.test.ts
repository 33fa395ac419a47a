/** @file The smaller kernels against plain loops. */
import assert from 'node:assert/strict';
import { activationFunctions } from '../../../ir/interpreter/functions.ts';
import { activations, INT8_MOST, roundRow, weightLayouts } from '../../../ir/index.ts';
import type { Buffer, Kernel, Weight } from '../../../ir/index.ts';
import {
  buffer,
  distance,
  kernel,
  kernelProgram,
  numbers,
  readRow,
  rows,
  run,
  view,
  weight,
  writeRow,
} from './support.ts';
import type { Running } from './support.ts';

type Weights = Parameters<typeof run>[1];

const ROWS = 5;

/** Runs one kernel with `$in` of these rows written; `$out` has as many columns unless it says otherwise. */
async function runKernel(
  test: Kernel,
  input: readonly (readonly number[])[],
  {
    out = input[0]?.length ?? 0,
    weights = [],
    values = {},
    more = [],
  }: { out?: number; weights?: readonly Weight[]; values?: Weights; more?: readonly Buffer[] } = {},
): Promise<Running> {
  const buffers = [buffer('$in', input[0]?.length ?? 0), buffer('$out', out), ...more];
  const running = await run(kernelProgram([test], { buffers, weights }), values);
  input.forEach((row, i) => writeRow(running, '$in', i, row));
  running.prefill(0, Math.min(input.length, 16));
  return running;
}

function outputs(running: Running, count: number): number[][] {
  return Array.from({ length: count }, (_, row) => readRow(running, '$out', row));
}

describe('norm', () => {
  for (const columns of [1, 2, 3, 4, 5, 7, 8, 31, 64]) {
    for (const norm of ['layer', 'rms'] as const) {
      it(`${norm} norm of ${columns} columns`, async () => {
        const input = rows(ROWS, columns, 1).map((row) => row.map((x) => x * 3 + 5));
        const [gain, shift] = [numbers(columns, 2), numbers(columns, 3)];
        const layer = norm === 'layer';
        const operands = {
          x: view('$in', columns),
          gain: { weight: '@g' as const },
          ...(layer ? { shift: { weight: '@s' as const } } : {}),
        };
        const test = kernel('norm', view('$out', columns), operands, { norm, eps: 1e-5 });
        const weights = [weight('@g', [columns]), weight('@s', [columns])];
        const running = await runKernel(test, input, { weights, values: { '@g': gain, '@s': shift } });
        input.forEach((x, row) => {
          const mean = layer ? x.reduce((a, b) => a + b, 0) / columns : 0;
          const deviation = Math.sqrt(x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / columns + 1e-5);
          const expected = x.map(
            (value, i) => ((value - mean) / deviation) * (gain[i] ?? 0) + (layer ? (shift[i] ?? 0) : 0),
          );
          assert.ok(distance(readRow(running, '$out', row), expected) < 1e-5);
        });
      });
    }
  }

  it('works in place, on a part of a row, and leaves the rest alone', async () => {
    const test = kernel(
      'norm',
      view('$in', 3, { from: 2 }),
      { x: view('$in', 3, { from: 2 }), gain: { weight: '@g' } },
      { norm: 'rms', eps: 0 },
    );
    const running = await runKernel(test, [[9, 8, 3, 0, 4, 7]], {
      weights: [weight('@g', [3])],
      values: { '@g': [1, 1, 1] },
    });
    const [a, b, ...rest] = readRow(running, '$in', 0);
    assert.deepEqual([a, b, rest[3]], [9, 8, 7]);
    assert.ok(
      distance(
        rest.slice(0, 3),
        [3, 0, 4].map((x) => x / Math.sqrt(25 / 3)),
      ) < 1e-6,
    );
  });
});

describe('unary', () => {
  const many = Array.from({ length: 16 * 500 }, (_, i) => Math.fround((i - 4000) / 200));
  const extreme = [
    0, -0, 1e-20, -1e-20, 1e-5, -1e-5, 30, -30, 87, -87, 88.5, -88.5, 104, -104, 1e4, -1e4, 1e20, -1e20, 3e38, -3e38,
  ];

  for (const name of activations) {
    const apply = async (values: readonly number[]): Promise<number[]> => {
      const columns = Math.ceil(values.length / 16);
      const input = Array.from({ length: 16 }, (_, row) =>
        Array.from({ length: columns }, (_, i) => values[row * columns + i] ?? 0),
      );
      const running = await runKernel(
        kernel('unary', view('$out', columns), { x: view('$in', columns) }, { function: name }),
        input,
      );
      return outputs(running, 16).flat().slice(0, values.length);
    };

    it(`${name} is exact to single precision`, async () => {
      const result = await apply(many);
      result.forEach((y, i) => {
        const expected = activationFunctions[name](many[i] ?? 0);
        const error = Math.abs(y - expected);
        assert.ok(error <= 3e-7 * Math.max(1, Math.abs(expected)), `${name}(${many[i]}) is ${y}, expected ${expected}`);
      });
    });

    it(`${name} saturates`, async () => {
      const result = await apply(extreme);
      result.forEach((y, i) => {
        const x = Math.fround(extreme[i] ?? 0);
        const expected = name === 'silu' && x < -100 ? 0 : activationFunctions[name](x);
        assert.ok(
          Math.abs(y - expected) <= 3e-7 * Math.max(1, Math.abs(expected)),
          `${name}(${x}) is ${y}, expected ${expected}`,
        );
      });
    });

    it(`${name} keeps NaN`, async () => {
      assert.ok(Number.isNaN((await apply([NaN]))[0]));
    });
  }
});

describe('binary, scale and copy', () => {
  const columns = 7;
  const input = rows(ROWS, columns, 1);

  for (const [name, combine] of [
    ['add', (a: number, b: number) => a + b],
    ['mul', (a: number, b: number) => a * b],
  ] as const) {
    it(`${name}: two views, in place`, async () => {
      const test = kernel(
        'binary',
        view('$in', columns),
        { a: view('$in', columns), b: view('$in', columns) },
        { function: name },
      );
      const running = await runKernel(test, input);
      input.forEach((x, row) =>
        assert.deepEqual(
          readRow(running, '$in', row),
          x.map((value) => Math.fround(combine(value, value))),
        ),
      );
    });

    for (const shape of [[columns], [1, columns], [ROWS, columns]]) {
      it(`${name}: a weight of shape ${shape.join(' × ')}`, async () => {
        const values = numbers(
          shape.reduce((a, b) => a * b, 1),
          2,
        );
        const test = kernel(
          'binary',
          view('$out', columns),
          { a: view('$in', columns), b: { weight: '@b' } },
          { function: name },
        );
        const running = await runKernel(test, input, { weights: [weight('@b', shape)], values: { '@b': values } });
        const row = (r: number): number[] =>
          shape[0] === ROWS && shape.length > 1 ? values.slice(r * columns, (r + 1) * columns) : values;
        input.forEach((x, r) =>
          assert.deepEqual(
            readRow(running, '$out', r),
            x.map((value, i) => Math.fround(combine(value, row(r)[i] ?? NaN))),
          ),
        );
      });
    }
  }

  it('scale', async () => {
    const running = await runKernel(
      kernel('scale', view('$out', columns), { x: view('$in', columns) }, { by: 0.125 }),
      input,
    );
    input.forEach((x, row) =>
      assert.deepEqual(
        readRow(running, '$out', row),
        x.map((value) => value * 0.125),
      ),
    );
  });

  it('copy between routed and other rows, of some columns', async () => {
    const test = kernel('copy', view('$out', 3, { from: 1 }), { x: view('$in', 3, { from: 4, routed: true }) });
    const running = await runKernel(test, input);
    running.head(2, 2);
    for (const i of [0, 1]) assert.deepEqual(readRow(running, '$out', i).slice(1, 4), input[i + 2]?.slice(4, 7));
    assert.ok(Number.isNaN(readRow(running, '$out', 0)[0]) && Number.isNaN(readRow(running, '$out', 0)[4]));
  });
});

describe('embed', () => {
  for (const layout of weightLayouts) {
    for (const columns of [1, 5, 16]) {
      it(`takes rows of ${columns} columns from a table in ${layout}`, async () => {
        const values = numbers(19 * columns, 1);
        const rowOf = (id: number): number[] => {
          const row = values.slice(id * columns, (id + 1) * columns);
          if (layout !== 'int8') return row;
          const { scale, values: whole } = roundRow(Float32Array.from(row), INT8_MOST);
          return Array.from(whole, (value) => Math.fround(value * scale));
        };
        const ids = buffer('$i', 1, { dtype: 'i32' });
        const test = kernel(
          'embed',
          view('$out', columns, { routed: true }),
          { ids: view('$i', 1, { routed: true }), table: { weight: '@t' } },
          { offset: 2 },
        );
        const running = await run(
          kernelProgram([test], {
            buffers: [ids, buffer('$out', columns)],
            weights: [weight('@t', [19, columns], layout)],
          }),
          { '@t': values },
        );
        [0, 16, 5, 7].forEach((id, row) => writeRow(running, '$i', row, [id]));
        running.prefill(0, 3);
        [0, 16, 5].forEach((id, row) => assert.deepEqual(readRow(running, '$out', row), rowOf(id + 2)));
        assert.ok(Number.isNaN(readRow(running, '$out', 3)[0]));
        running.head(3, 1);
        assert.deepEqual(readRow(running, '$out', 3), rowOf(9));
      });
    }
  }
});

describe('rope', () => {
  for (const headDim of [2, 6, 8, 20]) {
    it(`turns heads of ${headDim} by their position, in place`, async () => {
      const [half, heads, first] = [headDim / 2, 3, 4];
      const [cos, sin, input] = [numbers(64 * half, 1), numbers(64 * half, 2), rows(ROWS, heads * headDim, 3)];
      const table = { positions: view('$pos', 1), cos: { weight: '@c' as const }, sin: { weight: '@s' as const } };
      const target = view('$in', heads * headDim);
      const running = await runKernel(kernel('rope', target, { x: target, ...table }, { head_dim: headDim }), input, {
        weights: [weight('@c', [64, half]), weight('@s', [64, half])],
        values: { '@c': cos, '@s': sin },
      });
      input.forEach((x, row) => writeRow(running, '$in', row, x));
      running.prefill(first, ROWS);
      input.forEach((x, row) => {
        const expected = x.map((value, column) => {
          const i = column % headDim;
          const angle = (first + row) * half + (i % half);
          const other = x[i < half ? column + half : column - half] ?? NaN;
          return value * (cos[angle] ?? NaN) + (i < half ? -1 : 1) * other * (sin[angle] ?? NaN);
        });
        assert.ok(distance(readRow(running, '$in', row), expected) < 1e-6);
      });
    });
  }
});

describe('images', () => {
  it('patchify cuts patches row by row, channels first', async () => {
    const [channels, height, width, size] = [3, 4, 6, 2];
    const patches = (height / size) * (width / size);
    const columns = channels * size * size;
    const pixels = Array.from({ length: channels * height * width }, (_, i) => i);
    const buffers = [buffer('$pixels', pixels.length, { rows: 1 }), buffer('$out', columns, { rows: patches })];
    const attrs = { channels, height, width, size };
    const running = await run(
      kernelProgram([kernel('patchify', view('$out', columns), { pixels: view('$pixels', pixels.length) }, attrs)], {
        buffers,
      }),
    );
    writeRow(running, '$pixels', 0, pixels);
    running.prefill(0, patches + 1);
    for (let patch = 0; patch < patches; patch++) {
      const [top, left] = [Math.floor(patch / 3) * size, (patch % 3) * size];
      const expected = Array.from({ length: columns }, (_, i) => {
        const [channel, y, x] = [Math.floor(i / 4), Math.floor(i / 2) % 2, i % 2];
        return channel * height * width + (top + y) * width + left + x;
      });
      assert.deepEqual(readRow(running, '$out', patch), expected);
    }
  });

  it('prepend puts a row before the others, select takes one', async () => {
    const input = rows(4, 5, 1);
    const row = numbers(5, 2);
    const running = await runKernel(
      kernel('prepend', view('$out', 5), { x: view('$in', 5), row: { weight: '@r' } }),
      input,
      {
        weights: [weight('@r', [5])],
        values: { '@r': row },
      },
    );
    running.prefill(0, 5);
    assert.deepEqual(outputs(running, 5), [row, ...input]);
  });

  for (const routed of [false, true]) {
    it(`select takes ${routed ? 'a row of the list' : 'a row'}`, async () => {
      const input = rows(5, 6, 1);
      const test = kernel('select', view('$one', 6), { x: view('$in', 6, { routed }) }, { row: 1 });
      const running = await runKernel(test, input, { more: [buffer('$one', 6, { rows: 1 })] });
      running.head(2, 3);
      assert.deepEqual(readRow(running, '$one', 0), input[routed ? 3 : 1]);
    });
  }
});
