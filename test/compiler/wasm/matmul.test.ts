/** @file Products of matrices of any strides against plain sums in float64, with both ways to multiply and add. */
import assert from 'node:assert/strict';
import v8 from 'node:v8';
import { emitMatmul, matmulFacts } from '../../../compiler/wasm/index.ts';
import type { Arithmetic, MatmulExports } from '../../../compiler/wasm/index.ts';
import { createRandom } from '../../../ir/random.ts';
import { numbers } from './support.ts';

const PAGES = 160;
const SCRATCH = 64;
const MATRICES = 2 ** 19;

interface Running extends MatmulExports {
  readonly f32: Float32Array;
}

async function run(arithmetic: Arithmetic): Promise<Running> {
  const bytes = await emitMatmul(arithmetic);
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes as BufferSource), { memory: { memory } });
  const f32 = new Float32Array(memory.buffer);
  f32.fill(NaN);
  return { f32, ...(exports as unknown as MatmulExports) };
}

/** Where an element is: the strides are in floats. */
interface Matrix {
  readonly at: number;
  readonly rowStride: number;
  readonly columnStride: number;
}

interface Case {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly aTransposed?: boolean;
  readonly bTransposed?: boolean;
  /** Unused floats at the end of each row, or column where transposed. */
  readonly gap?: number;
  /** Neither rows nor columns lie in one piece. */
  readonly scattered?: boolean;
  readonly causal?: keyof typeof matmulFacts.causal;
  readonly alpha?: number;
  /** D is a matrix, one row for all, or C itself. */
  readonly plus?: 'matrix' | 'row' | 'self';
}

/** Floats that are looked at behind what may be written. */
const MARGIN = 64;

/** Places matrices one after the other and fills them with numbers. */
function placer(f32: Float32Array): {
  readonly place: (rows: number, columns: number, transposed: boolean, test: Case) => Matrix;
  readonly end: () => number;
} {
  let next = MATRICES / 4;
  const place: ReturnType<typeof placer>['place'] = (rows, columns, transposed, { gap = 0, scattered = false }) => {
    const step = scattered ? 2 : 1;
    const length = step * (transposed ? rows : columns) + gap;
    const matrix = {
      at: next,
      rowStride: transposed ? step : length,
      columnStride: transposed ? length : step,
    };
    for (const [i, value] of numbers(rows * columns, next).entries()) {
      f32[next + Math.floor(i / columns) * matrix.rowStride + (i % columns) * matrix.columnStride] = value;
    }
    next += length * (transposed ? columns : rows) + 3;
    return matrix;
  };
  return { place, end: () => next };
}

/** Whether a causal matrix has this element. */
function has(row: number, column: number): boolean {
  return column <= row;
}

/** Largest difference between the module's product and the plain one; infinite where it wrote outside of C. */
function error(running: Running, test: Case): number {
  const { m, n, k, causal = 'none', alpha = 1, plus } = test;
  const { f32 } = running;
  const { place, end } = placer(f32);
  const a = place(m, k, test.aTransposed ?? false, test);
  const b = place(k, n, test.bTransposed ?? false, test);
  const rows = { ...test, scattered: false };
  const c = place(m, n, false, rows);
  const d = plus === 'self' ? c : { ...place(m, n, false, rows), ...(plus === 'row' ? { rowStride: 0 } : {}) };
  const element = ({ at, rowStride, columnStride }: Matrix, row: number, column: number): number =>
    at + row * rowStride + column * columnStride;
  if (causal === 'left' || causal === 'leftTransposed') {
    for (let row = 0; row < m; row++) {
      for (let i = 0; i < k; i++) {
        const [r, s] = causal === 'left' ? [row, i] : [i, row];
        if (has(r, s)) continue;
        f32[element(a, row, i)] = s < Math.ceil((r + 1) / 4) * 4 ? 0 : NaN;
      }
    }
  }
  const [outside, last] = [MATRICES / 4, end() + MARGIN];
  const before = f32.slice(0, last);
  const bytes = ({ at, rowStride, columnStride }: Matrix): number[] => [4 * at, 4 * rowStride, 4 * columnStride];
  const beta = -0.75;
  running.matmul(
    ...[m, n, k, ...bytes(a), ...bytes(b), 4 * c.at, 4 * c.rowStride],
    ...(plus === undefined ? [0, 0] : [4 * d.at, 4 * d.rowStride]),
    ...[matmulFacts.causal[causal], SCRATCH, alpha, beta],
  );
  let worst = 0;
  for (let row = 0; row < m; row++) {
    for (let column = 0; column < n; column++) {
      const at = element(c, row, column);
      if (causal !== 'result' || has(row, column)) {
        let sum = 0;
        for (let i = 0; i < k; i++) {
          const [r, s] = causal === 'leftTransposed' ? [i, row] : [row, i];
          if ((causal === 'left' || causal === 'leftTransposed') && !has(r, s)) continue;
          sum += (before[element(a, row, i)] ?? NaN) * (before[element(b, i, column)] ?? NaN);
        }
        const added = plus === undefined ? 0 : beta * (before[element(d, row, column)] ?? NaN);
        const distance = Math.abs((f32[at] ?? NaN) - alpha * sum - added);
        worst = Math.max(worst, Number.isNaN(distance) ? Infinity : distance);
      }
      before[at] = f32[at] ?? NaN;
    }
  }
  assert.deepEqual(f32.subarray(outside, last), before.subarray(outside), 'wrote beside the result');
  assert.ok(f32.subarray(0, SCRATCH / 4).every(Number.isNaN), 'wrote before the scratch area');
  const behind = (SCRATCH + matmulFacts.scratchBytes) / 4;
  assert.ok(f32.subarray(behind, behind + MARGIN).every(Number.isNaN), 'wrote behind the scratch area');
  f32.fill(NaN, outside, last);
  return worst;
}

function check(running: Running, test: Case): void {
  const worst = error(running, test);
  assert.ok(worst < 2e-6 * Math.sqrt(test.k) + 1e-6, `${JSON.stringify(test)}: ${worst}`);
}

describe('the matmul module', () => {
  for (const arithmetic of ['separate', 'fused'] as const) {
    describe(arithmetic, () => {
      let running: Running;
      before(async () => {
        v8.setFlagsFromString('--experimental-wasm-relaxed-simd');
        running = await run(arithmetic);
      });

      it('multiplies small matrices of all sizes', () => {
        for (let m = 1; m <= 9; m++) {
          for (let n = 1; n <= 9; n++) {
            for (let k = 1; k <= 9; k++) {
              const transposed = { aTransposed: (m + n) % 2 === 0, bTransposed: (n + k) % 2 === 0 };
              check(running, { m, n, k, ...transposed, gap: (m + k) % 3 });
            }
          }
        }
      });

      it('multiplies random ones with all options', () => {
        const random = createRandom(11);
        const below = (end: number): number => random() % end;
        const coin = (): boolean => below(2) === 1;
        const plus = [undefined, 'matrix', 'row', 'self'] as const;
        const causal = ['none', 'none', 'result', 'left', 'leftTransposed'] as const;
        for (let i = 0; i < 150; i++) {
          const kind = causal[below(causal.length)] ?? 'none';
          const [m, n, k] = [1 + below(70), 1 + below(70), 1 + below(70)];
          const added = kind === 'result' ? undefined : plus[below(plus.length)];
          check(running, {
            m,
            n: kind === 'result' ? m : n,
            k: kind === 'left' || kind === 'leftTransposed' ? m : k,
            aTransposed: coin(),
            bTransposed: coin(),
            gap: below(4),
            scattered: below(5) === 0,
            causal: kind,
            ...(coin() ? { alpha: 0.3 } : {}),
            ...(added === undefined ? {} : { plus: added }),
          });
        }
      });

      it('multiplies ones of several blocks', () => {
        check(running, { m: 9, n: 397, k: 523 });
        check(running, { m: 6, n: 390, k: 260, aTransposed: true, bTransposed: true, plus: 'row' });
        check(running, { m: 5, n: 801, k: 31, plus: 'self' });
        for (const causal of ['result', 'left', 'leftTransposed'] as const) {
          check(running, { m: 518, n: causal === 'result' ? 518 : 11, k: causal === 'result' ? 11 : 518, causal });
        }
      });
    });
  }

  it('emits equal bytes again', async () => {
    assert.deepEqual(await emitMatmul('fused'), await emitMatmul('fused'));
  });
});

describe('what accompanies products', () => {
  let running: Running;
  before(async () => {
    running = await run('separate');
  });

  it('sums columns', () => {
    for (const [rows, columns] of [
      [1, 1],
      [5, 3],
      [7, 22],
      [3, 41],
    ] as const) {
      const { f32 } = running;
      const values = numbers(rows * columns, columns);
      f32.fill(NaN);
      f32.set(values, 1000);
      running.column_sums(rows, columns, 4000, 4 * columns, 64);
      for (let c = 0; c < columns; c++) {
        const sum = values.reduce((total, x, i) => total + (i % columns === c ? x : 0), 0);
        assert.ok(Math.abs((f32[16 + c] ?? NaN) - sum) < 1e-5);
      }
      assert.ok(Number.isNaN(f32[16 + columns]));
    }
  });

  for (const tokens of [1, 4, 5, 11, 64]) {
    it(`softmax of ${tokens} causal rows, and its gradient`, () => {
      const { f32 } = running;
      const stride = Math.ceil(tokens / 4) * 4 + 4;
      f32.fill(NaN);
      const [p, dp] = [100, 100 + tokens * stride];
      const scores = numbers(tokens * stride, tokens).map((x) => 20 * x);
      const slopes = numbers(tokens * stride, tokens + 1);
      for (let row = 0; row < tokens; row++) {
        // Columns behind the row's last are not set.
        f32.set(scores.slice(row * stride, row * stride + row + 1), p + row * stride);
        f32.set(slopes.slice(row * stride, row * stride + row + 1), dp + row * stride);
      }
      running.causal_softmax(4 * p, 4 * stride, tokens);
      running.causal_softmax_gradient(4 * p, 4 * dp, 4 * stride, tokens);
      for (let row = 0; row < tokens; row++) {
        const own = scores.slice(row * stride, row * stride + row + 1);
        const top = Math.max(...own);
        const powers = own.map((x) => Math.exp(x - top));
        const total = powers.reduce((sum, x) => sum + x, 0);
        const mean = powers.reduce((sum, x, i) => sum + (x / total) * (slopes[row * stride + i] ?? NaN), 0);
        for (let column = 0; column < stride; column++) {
          const [chance, slope] = [f32[p + row * stride + column], f32[dp + row * stride + column]];
          if (column >= Math.ceil((row + 1) / 4) * 4) {
            assert.ok(Number.isNaN(chance) && Number.isNaN(slope), 'wrote behind the row');
            continue;
          }
          const expected = (powers[column] ?? 0) / total;
          assert.ok(Math.abs((chance ?? NaN) - expected) < 1e-6);
          const gradient = column > row ? 0 : expected * ((slopes[row * stride + column] ?? NaN) - mean);
          assert.ok(Math.abs((slope ?? NaN) - gradient) < 2e-6);
        }
      }
    });
  }
});
