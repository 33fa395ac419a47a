/** @file What the target decides before it emits. */
import assert from 'node:assert/strict';
import { kernelKinds } from '../../../ir/index.ts';
import { targetBuffers } from '../../../compiler/wasm/index.ts';
import { dimGroups } from '../../../compiler/wasm/plan/attend.ts';
import type { ViewShape } from '../../../compiler/wasm/plan/layout.ts';
import { planLinear } from '../../../compiler/wasm/plan/linear.ts';
import { buffer, kernel, kernelProgram, programOf, view, weight } from './support.ts';

function shape(columns: number, options: Partial<ViewShape> = {}): ViewShape {
  return { kind: 'view', stride: Math.ceil(columns / 8) * 32, columns, routed: false, fixedRows: null, ...options };
}

const plain = {
  weights: 'panels',
  mul: undefined,
  residual: undefined,
  bias: false,
  act: undefined,
  first: 0,
} as const;

describe('planLinear', () => {
  it('counts panels up, and bytes of a panel by the inner size', () => {
    const plan = planLinear({ ...plain, x: shape(768), out: shape(3073) });
    assert.deepEqual([plan.inner, plan.panels, plan.panelBytes], [768, 385, 768 * 32]);
    assert.deepEqual([plan.weightOffset, plan.biasOffset], [0, 0]);
  });

  it('knows int8 panels: scales, then pairs of columns', () => {
    const plan = planLinear({ ...plain, weights: 'int8', x: shape(5), out: shape(24), first: 8 });
    assert.deepEqual([plan.panelBytes, plan.weightOffset, plan.biasOffset], [32 + 3 * 16, 32 + 3 * 16, 32]);
    assert.equal(plan.gemm, 'i8_gemm_4x8_x5/8_out24');
  });

  it('lets a GEMV read adjacent panels of f32, and of int8 those that lie a third of the weight apart', () => {
    const of = (weights: 'panels' | 'int8', columns: number, more: Partial<Parameters<typeof planLinear>[0]> = {}) => {
      const { tile, step, end, covered } = planLinear({
        ...plain,
        weights,
        x: shape(8),
        out: shape(columns),
        ...more,
      }).gemv;
      return [tile.panels, tile.apart, step, end, covered];
    };
    assert.deepEqual(of('panels', 8 * 11), [4, 1, 4, 8, 8]);
    assert.deepEqual(of('panels', 8 * 3), [4, 1, 4, 0, 0]);
    assert.deepEqual(of('int8', 8 * 11), [3, 3, 1, 3, 9]);
    assert.deepEqual(of('int8', 8 * 2), [3, 0, 1, 0, 0]);
    assert.deepEqual(of('int8', 8 * 11, { partial: shape(8) }), [4, 1, 4, 8, 8]);
  });

  it('starts at the panel of the first column', () => {
    const plan = planLinear({ ...plain, x: shape(64), out: shape(128), bias: true, first: 64 });
    assert.deepEqual([plan.panels, plan.weightOffset, plan.biasOffset], [16, 8 * 64 * 32, 64 * 4]);
  });

  it('names what the code is specialised to: tile, sizes, strides, routes and epilogue, not the number of columns', () => {
    const x = shape(768, { routed: true });
    const plan = planLinear({ ...plain, x, out: shape(3072), bias: true, act: 'relu' });
    assert.equal(plan.gemm, 'f32_gemm_4x8_x768r_bias_relu_out3072');
    assert.equal(plan.gemv.name, 'f32_gemv_1x32_x768r_bias_relu_out3072');
    const part = planLinear({ ...plain, x, out: { ...shape(3072), columns: 1024 }, bias: true, act: 'relu' });
    assert.equal(part.gemm, plan.gemm);
    const gated = planLinear({ ...plain, x: shape(20), out: shape(12), mul: shape(12), residual: x });
    assert.equal(gated.gemm, 'f32_gemm_4x8_x20/24_mul16_residual768r_out16');
  });
});

describe('dimGroups', () => {
  it('covers each column of a head once, at most 32 at a time, single columns last', () => {
    assert.deepEqual(dimGroups(1), [{ from: 0, vectors: 0, singles: 1 }]);
    assert.deepEqual(dimGroups(8), [{ from: 0, vectors: 2, singles: 0 }]);
    assert.deepEqual(dimGroups(13), [{ from: 0, vectors: 3, singles: 1 }]);
    assert.deepEqual(dimGroups(34), [
      { from: 0, vectors: 8, singles: 0 },
      { from: 32, vectors: 0, singles: 2 },
    ]);
    for (let headDim = 1; headDim <= 130; headDim++) {
      let next = 0;
      for (const { from, vectors, singles } of dimGroups(headDim)) {
        assert.equal(from, next);
        next = from + vectors * 4 + singles;
      }
      assert.equal(next, headDim);
    }
  });
});

describe('targetBuffers', () => {
  const linear = kernel(
    'linear',
    view('$out', 8),
    { x: view('$in', 20), weight: { weight: '@w' }, gain: { weight: '@g' } },
    { first: 0, norm: 'rms', eps: 0 },
  );
  const parts = {
    buffers: [buffer('$in', 20), buffer('$out', 8)],
    weights: [weight('@w', [8, 20], 'panels'), weight('@g', [20])],
  };

  it('has counters for each kind of kernel', () => {
    const [counters, ...others] = targetBuffers(programOf({}));
    assert.deepEqual([counters?.name, counters?.rows, counters?.columns], ['$counters', kernelKinds.length, 2]);
    assert.deepEqual(others, []);
  });

  it('has room for the widest row that is normalised on its way into a linear, for all rows', () => {
    const [, normed] = targetBuffers(kernelProgram([linear], { ...parts, chunk: 16, headRows: 20 }));
    assert.deepEqual([normed?.name, normed?.rows, normed?.columns], ['$normed', 20, 20]);
    const fixed = { ...parts, buffers: [buffer('$in', 20), buffer('$out', 8, { rows: 50 })] };
    assert.equal(targetBuffers(kernelProgram([linear], fixed))[1]?.rows, 50);
  });
});
