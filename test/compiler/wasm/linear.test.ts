/** @file Linear kernels, with weights in f32 and in int8, against plain loops, and rows computed together against rows computed alone. */
import assert from 'node:assert/strict';
import { activationFunctions } from '../../../ir/interpreter/functions.ts';
import { INT8_MOST, inputLevels, roundRow } from '../../../ir/index.ts';
import type { Activation, Attrs, Buffer, Input } from '../../../ir/index.ts';
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

interface Case {
  readonly weights?: 'int8';
  readonly inner: number;
  readonly out: number;
  readonly first?: number;
  readonly bias?: boolean;
  readonly act?: Activation;
  readonly mul?: boolean;
  readonly residual?: 'other' | 'same';
  readonly norm?: 'layer' | 'rms';
  readonly routed?: boolean;
}

const ROWS = 9;
const EPS = 1e-5;

/** A program with one linear kernel, its weights set and its input rows written. */
async function prepare(test: Case): Promise<Running> {
  const { inner, out } = test;
  const first = test.first ?? 0;
  const routed = test.routed ?? false;
  const buffers: Buffer[] = [buffer('$in', inner), buffer('$out', out), buffer('$mul', out), buffer('$res', out)];
  const weights = [
    weight('@w', [first + out, inner], test.weights ?? 'panels'),
    weight('@b', [first + out]),
    weight('@g', [inner]),
    weight('@s', [inner]),
  ];
  const inputs: Record<string, Input> = { x: view('$in', inner, { routed }), weight: { weight: '@w' } };
  if (test.bias) inputs['bias'] = { weight: '@b' };
  if (test.norm) inputs['gain'] = { weight: '@g' };
  if (test.norm === 'layer') inputs['shift'] = { weight: '@s' };
  if (test.mul) inputs['mul'] = view('$mul', out);
  if (test.residual) inputs['residual'] = view(test.residual === 'same' ? '$out' : '$res', out, { routed });
  const attrs: Attrs = {
    first,
    ...(test.act === undefined ? {} : { act: test.act }),
    ...(test.norm === undefined ? {} : { norm: test.norm, eps: EPS }),
  };
  const linear = kernel('linear', view('$out', out, { routed }), inputs, attrs);
  const running = await run(kernelProgram([linear], { buffers, weights }), {
    '@w': numbers((first + out) * inner, 1),
    '@b': numbers(first + out, 2),
    '@g': numbers(inner, 3),
    '@s': numbers(inner, 4),
  });
  fill(running, test);
  return running;
}

function fill(running: Running, { inner, out }: Case): void {
  const [x, mul, residual] = [rows(16, inner, 5), rows(16, out, 6), rows(16, out, 7)];
  for (let row = 0; row < 16; row++) {
    writeRow(running, '$in', row, x[row] ?? []);
    writeRow(running, '$mul', row, mul[row] ?? []);
    writeRow(running, '$res', row, residual[row] ?? []);
    writeRow(running, '$out', row, residual[row] ?? []);
  }
}

function normalise(x: readonly number[], { norm }: Case): readonly number[] {
  if (norm === undefined) return x;
  const [gain, shift] = [numbers(x.length, 3), numbers(x.length, 4)];
  const mean = norm === 'layer' ? x.reduce((a, b) => a + b, 0) / x.length : 0;
  const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
  return x.map(
    (value, i) =>
      ((value - mean) / Math.sqrt(variance + EPS)) * (gain[i] ?? 0) + (norm === 'layer' ? (shift[i] ?? 0) : 0),
  );
}

/** The row that the kernel should make; `source` is the row of routed views, `place` of the others. */
function expected(test: Case, source: number, place: number): number[] {
  const { inner, out } = test;
  const first = test.first ?? 0;
  const [w, b] = [numbers((first + out) * inner, 1), numbers(first + out, 2)];
  const x = normalise(rows(16, inner, 5)[source] ?? [], test);
  const dot = test.weights === 'int8' ? roundedDot : plainDot;
  return Array.from({ length: out }, (_, o) => {
    let sum = dot(x, w.slice((first + o) * inner, (first + o + 1) * inner));
    if (test.bias) sum += b[first + o] ?? 0;
    if (test.act !== undefined) sum = activationFunctions[test.act](sum);
    if (test.mul) sum *= rows(16, out, 6)[place]?.[o] ?? 0;
    if (test.residual) sum += rows(16, out, 7)[source]?.[o] ?? 0;
    return sum;
  });
}

function plainDot(x: readonly number[], row: readonly number[]): number {
  return x.reduce((total, value, k) => total + value * (row[k] ?? 0), 0);
}

function roundedDot(x: readonly number[], row: readonly number[]): number {
  const [a, b] = [roundRow(Float32Array.from(x), inputLevels(x.length)), roundRow(Float32Array.from(row), INT8_MOST)];
  return plainDot([...a.values], [...b.values]) * a.scale * b.scale;
}

const floatCases: readonly Case[] = [
  { inner: 16, out: 8 },
  { inner: 1, out: 1 },
  { inner: 7, out: 13, bias: true },
  { inner: 33, out: 40, bias: true, act: 'relu' },
  { inner: 12, out: 37, bias: true, act: 'gelu', residual: 'other' },
  { inner: 20, out: 64, act: 'gelu_tanh', mul: true },
  { inner: 20, out: 72, act: 'silu', mul: true, residual: 'same' },
  { inner: 9, out: 5, act: 'tanh', residual: 'same', routed: true },
  { inner: 31, out: 24, bias: true, first: 16 },
  { inner: 31, out: 33, bias: true, norm: 'layer', residual: 'same', routed: true },
  { inner: 64, out: 33, norm: 'rms', routed: true },
];
const cases = floatCases.flatMap((test): Case[] => [test, { ...test, weights: 'int8' }]);

describe('linear', () => {
  for (const test of cases) {
    it(`is what plain loops give: ${JSON.stringify(test)}`, async () => {
      const running = await prepare(test);
      for (let count = 0; count <= ROWS; count++) {
        fill(running, test);
        running.prefill(0, count);
        for (let row = 0; row < count; row++) {
          const error = distance(readRow(running, '$out', row), expected(test, row, row));
          // A norm that is off in its last bit may round to the number beside.
          assert.ok(
            error < (test.weights === 'int8' && test.norm !== undefined ? 2e-4 : 2e-5),
            `row ${row} of ${count} is off by ${error}`,
          );
        }
        if (count > 0 && test.residual !== 'same' && test.out > 1) {
          assert.deepEqual(
            readRow(running, '$out', count),
            rows(16, test.out, 7)[count],
            'the row behind is untouched',
          );
        }
      }
    });

    it(`does not depend on the rows beside: ${JSON.stringify(test)}`, async () => {
      const running = await prepare(test);
      const alone = Array.from({ length: ROWS }, (_, row) => {
        fill(running, test);
        if (test.routed) {
          running.head(row, 1);
          return readRow(running, '$out', row);
        }
        writeRow(running, '$in', 0, rows(16, test.inner, 5)[row] ?? []);
        writeRow(running, '$mul', 0, rows(16, test.out, 6)[row] ?? []);
        for (const name of ['$res', '$out']) writeRow(running, name, 0, rows(16, test.out, 7)[row] ?? []);
        running.prefill(0, 1);
        return readRow(running, '$out', 0);
      });
      for (let count = 1; count <= ROWS; count++) {
        fill(running, test);
        running.prefill(0, count);
        for (let row = 0; row < count; row++) assert.deepEqual(readRow(running, '$out', row), alone[row]);
      }
    });
  }

  it('reaches rows through the row list', async () => {
    const test: Case = { inner: 10, out: 16, bias: true, residual: 'other', mul: true, routed: true };
    const running = await prepare(test);
    running.head(5, 3);
    for (let row = 5; row < 8; row++) {
      assert.ok(distance(readRow(running, '$out', row), expected(test, row, row - 5)) < 1e-5);
    }
    assert.deepEqual(readRow(running, '$out', 4), rows(16, 16, 7)[4]);
    assert.deepEqual(readRow(running, '$out', 8), rows(16, 16, 7)[8]);
  });

  it('adds whole numbers exactly, however many, and as large as they get', async () => {
    for (const inner of [515, 517, 3072]) {
      const most = inner * INT8_MOST * inputLevels(inner);
      assert.ok(most < 2 ** 31);
      const linear = kernel(
        'linear',
        view('$out', 16),
        { x: view('$in', inner), weight: { weight: '@w' } },
        { first: 0 },
      );
      const buffers = [buffer('$in', inner), buffer('$out', 16)];
      const weights = [weight('@w', [16, inner], 'int8')];
      const running = await run(kernelProgram([linear], { buffers, weights }), {
        '@w': Array.from({ length: 16 * inner }, (_, i) => (i < inner ? 1 : -1)),
      });
      writeRow(running, '$in', 0, new Array<number>(inner).fill(-3));
      running.prefill(0, 1);
      const one = roundRow(Float32Array.of(1), INT8_MOST).scale;
      const three = roundRow(Float32Array.of(3), inputLevels(inner)).scale;
      const expected = Math.fround(Math.fround(most) * Math.fround(one * three));
      assert.deepEqual(readRow(running, '$out', 0), [-expected, ...new Array<number>(15).fill(expected)]);
    }
  });

  it('rounds rows of zeros, of tiny and of odd numbers as the interpreter does', async () => {
    const inner = 5;
    const linear = kernel('linear', view('$out', 8), { x: view('$in', inner), weight: { weight: '@w' } }, { first: 0 });
    const buffers = [buffer('$in', inner), buffer('$out', 8)];
    const values = numbers(8 * inner, 1);
    const running = await run(kernelProgram([linear], { buffers, weights: [weight('@w', [8, inner], 'int8')] }), {
      '@w': values,
    });
    const inputs = [
      [0, 0, 0, 0, 0],
      [1e-38, 0, -1e-38, 0, 0],
      [32_767, 0.5, 1.5, -0.5, -1.5],
      [3e38, -3e38, 1, 2, 3],
      [NaN, 1, 2, 3, 4],
      [Infinity, 1, 2, 3, 4],
    ];
    for (const x of inputs) {
      writeRow(running, '$in', 0, x);
      running.prefill(0, 1);
      const a = roundRow(Float32Array.from(x), inputLevels(inner));
      const expected = Array.from({ length: 8 }, (_, o) => {
        const b = roundRow(Float32Array.from(values.slice(o * inner, (o + 1) * inner)), INT8_MOST);
        const sum = plainDot([...a.values], [...b.values]);
        return Math.fround(Math.fround(sum) * Math.fround(a.scale * b.scale)) + 0;
      });
      assert.deepEqual(
        readRow(running, '$out', 0).map((value) => value + 0),
        expected,
        `of ${x.join(', ')}`,
      );
    }
  });
});
