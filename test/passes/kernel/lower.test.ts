/** @file What `lower` refuses, and what it decides besides the code of bodies (which test/golden/lower shows). */
import assert from 'node:assert/strict';
import { parseModule } from '../../../ir/index.ts';
import type { KernelProgram } from '../../../ir/index.ts';
import { passesNamed, runPasses } from '../../../passes/index.ts';
import type { PassOptions } from '../../../passes/index.ts';
import { diagnosticsOf } from '../../support/error-files.ts';
import { tinyNetwork } from '../../support/tiny.ts';

function lowered(module: Parameters<typeof runPasses>[0], options: PassOptions = {}): KernelProgram {
  const result = runPasses(module, passesNamed(['lower']), { options }).module;
  assert(result.stage === 'kernel');
  return result;
}

/** An image network whose entry is these lines, the pixels being [2, 4, 4] and the hidden state [4, 8]. */
function imageNetwork(entry: readonly string[]): ReturnType<typeof parseModule> {
  return parseModule(
    `network @n {task: "image-classification", context: 4, kv: "absent", revisit: "overwrite", max_hops: 1}
const @w : f32[8, 8] = tensor {name: "w"}
const @rows : f32[4, 8] = tensor {name: "rows"}
const @narrow : f32[8, 4] = tensor {name: "narrow"}
entry(%pixels: f32[2, 4, 4]) {
  %patches = patchify(%pixels) {size: 2}
${entry.join('\n')}
  yield %last
} -> exit
exit(%x: f32[tokens, 8]) {
  %0 = select(%x) {row: 0}
  yield %0
}`,
    'image.rir',
  );
}

function refusal(...entry: string[]): readonly string[] {
  return diagnosticsOf(() => lowered(imageNetwork(entry))).map(({ code, message }) => `${code} ${message}`);
}

describe('lower', () => {
  it('cuts the chunk to the context, and the rows of logits to the chunk', () => {
    const sizes = (context: number, chunk?: number): readonly number[] => {
      const program = lowered(tinyNetwork({ context }), { chunk });
      return [program.chunk, program.headRows];
    };
    assert.deepEqual(sizes(40), [40, 16]);
    assert.deepEqual(sizes(400), [128, 16]);
    assert.deepEqual(sizes(400, 300), [300, 16]);
    assert.deepEqual(sizes(400, 5), [5, 5]);
  });

  it('refuses a chunk that is none (RC0608)', () => {
    for (const chunk of [0, 2.5, NaN]) {
      assert.deepEqual(
        diagnosticsOf(() => lowered(tinyNetwork(), { chunk })).map(({ code }) => code),
        ['RC0608'],
      );
    }
  });

  it('refuses regions and programs that are too large (RC0707)', () => {
    const long = Array.from({ length: 10_001 }, (_, i) => `  %${i} = relu(${i === 0 ? '%patches' : `%${i - 1}`})`);
    assert.deepEqual(refusal(...long, '  %last = add(%10000, @rows)'), [
      'RC0707 a region becomes 10003 kernels, at most 10000 are possible',
    ]);
    const wide = Array.from({ length: 8200 }, (_, i) => `  %${i} = scale(%patches) {by: ${i}}`);
    assert.deepEqual(refusal(...wide, '  %last = add(%patches, @rows)'), [
      'RC0707 the program needs 8207 buffers, at most 8160 are possible',
    ]);
  });

  it('stores a weight that is read in two ways twice', () => {
    const program = lowered(
      imageNetwork(['  %0 = linear(%patches, @rows)', '  %1 = linear(%0, @narrow)', '  %last = add(%1, @rows)']),
    );
    assert.deepEqual(
      program.weights.map(({ name, layout }) => `${name} ${layout}`),
      ['@rows panels', '@narrow panels', '@rows.rows rows'],
    );
    assert.deepEqual(program.consts.find(({ name }) => name === '@rows.rows')?.operands, ['@rows']);
  });

  it('keeps only the constants that the weights are made of', () => {
    const program = lowered(imageNetwork(['  %last = add(%patches, @rows)']));
    assert.deepEqual(
      program.consts.map(({ name }) => name),
      ['@rows'],
    );
  });

  it('refuses constants where kernels need values (RC0702)', () => {
    assert.deepEqual(refusal('  %last = relu(@rows)'), [
      'RC0702 relu reads the constant @rows where it needs a computed value',
    ]);
    assert.deepEqual(
      refusal('  %0 = select(@rows) {row: 1}', '  %1 = linear(%0, @w)', '  %last = add(%patches, @rows)'),
      ['RC0702 select reads the constant @rows where it needs a computed value'],
    );
  });

  it('refuses values where kernels need constants (RC0701)', () => {
    assert.deepEqual(refusal('  %0 = linear(%patches, %patches)', '  %last = linear(%0, @narrow)'), [
      'RC0701 linear needs a constant, found the computed value %patches',
    ]);
  });

  it('refuses to move rows (RC0703)', () => {
    assert.deepEqual(refusal('  %0 = slice(%patches) {axis: 0, from: 1, to: 3}', '  %last = add(%patches, @rows)'), [
      'RC0703 no kernel cuts rows [1, 3) out of a computed value',
    ]);
    assert.deepEqual(
      refusal(
        '  %0 = slice(%patches) {axis: 0, from: 1, to: 2}',
        '  %1 = concat(%0, %0, %0, %0) {axis: 0}',
        '  %last = add(%1, @rows)',
      ),
      ['RC0703 no kernel joins computed values along axis 0 to f32[4, 8]'],
    );
  });
});
