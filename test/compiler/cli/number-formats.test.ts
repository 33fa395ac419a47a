/** @file `--dtype`: programs with weights as int8, compiled, described, resumed from a dump, verified. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { checkpoint, fails, ok, okJson, readJson, scratch } from './support.ts';

interface ManifestShape {
  readonly program: { readonly dtype: string; readonly memory: { readonly weightsBytes: number } };
}

interface Verified {
  readonly ok: boolean;
  readonly atol: number;
  readonly cases: readonly { readonly maxAbs: number }[];
}

describe('number formats', () => {
  const at = scratch();
  before(async () => {
    await checkpoint(at('model'));
    await checkpoint(at('other-weights'), { seed: 2 });
  });

  it('store weights as int8, of the head or of all linears', async () => {
    const of = async (
      dtype: string,
    ): Promise<{ readonly dtype: string; readonly bytes: number; readonly int8: number }> => {
      await ok('compile', at('model'), '-o', at(dtype), '--dtype', dtype);
      const { program } = readJson(at(dtype, 'manifest.json')) as ManifestShape;
      const kernels = readFileSync(at(dtype, 'kernels.rir'), 'utf8');
      return {
        dtype: program.dtype,
        bytes: program.memory.weightsBytes,
        int8: kernels.match(/^weight .* : int8/gm)?.length ?? 0,
      };
    };
    const [fp32, head, all] = [await of('fp32'), await of('q8-head'), await of('q8')];
    assert.deepEqual([fp32.dtype, head.dtype, all.dtype], ['fp32', 'q8-head', 'q8']);
    assert.deepEqual([fp32.int8, head.int8], [0, 1]);
    const phases = [
      'compile',
      at('model'),
      '-o',
      at('narrow'),
      '--dtype=q8-head',
      '--dump-phases-to',
      at('narrow-phases'),
    ];
    await ok(...phases);
    const lowered = [at('narrow-phases', '16.lower.rir'), '--compile-from=lower', '--weights', at('model')];
    await ok('compile', ...lowered, '-o', at('again'));
    assert.equal((readJson(at('again', 'manifest.json')) as ManifestShape).program.dtype, 'q8-head');
    await fails('RC1009', 'compile', ...lowered, '-o', at('again'), '--dtype=q8');
    assert.ok(all.int8 > head.int8 && all.bytes < head.bytes && head.bytes < fp32.bytes);
    assert.match(
      await ok('opt', at('model'), '--dtype=q8-head', '--stop-after=quantize'),
      /linear\(%\S+, @\S+\) \{weights: "int8"\}\n {2}yield/,
    );
  });

  it('verify: programs with int8 weights are rounded as the interpreter rounds, and have room for a step', async () => {
    for (const dtype of ['q8', 'q8-head']) {
      await ok('compile', at('model'), '-o', at(dtype), `--dtype=${dtype}`, '--route=external');
      const found = await okJson<Verified>('verify', at(dtype), at('model'), '--tokens=9');
      assert.deepEqual([found.ok, found.atol], [true, 3e-3]);
      assert.ok(found.cases.every(({ maxAbs }) => maxAbs > 0 && maxAbs < 1e-3));
    }
    await fails('RC1004', 'verify', at('q8'), at('other-weights'), '--tokens=5', '--sequences=1');
  });
});
