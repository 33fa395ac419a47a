/** @file The IR that an artifact carries: written, read back, and refused when damaged. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { irFiles, readArtifactIr, writeArtifact } from '../../../compiler/artifact/index.ts';
import { build } from '../../../compiler/index.ts';
import { printModule } from '../../../ir/index.ts';
import { createInterpreter } from '../../../ir/interpreter/index.ts';
import type { Manifest } from '../../../runtime/artifact/index.ts';
import { load } from '../../../runtime/index.ts';
import { hasCode, toyLoader, withFolder } from '../../runtime/toy.ts';
import { narrowed } from '../../support/compare-networks.ts';
import { noWeights, tinyNetwork } from '../../support/tiny.ts';

const network = tinyNetwork();
const ids = [3, 1, 4, 1, 5];

/** An artifact of a tiny network, compiled for real. */
async function withArtifact(
  use: (folder: string, manifest: Manifest) => Promise<void>,
  dtype: 'fp32' | 'q8' = 'fp32',
): Promise<void> {
  await withFolder(async (folder) => {
    const input = join(folder, 'tiny.rir');
    writeFileSync(input, printModule(network));
    const built = await build({ input, dtype });
    try {
      const ir = irFiles(built.network, built.program);
      const out = join(folder, 'out');
      await use(out, await writeArtifact({ ...built, ir, version: '0.0.0' }, out, { loader: toyLoader }));
    } finally {
      built.close();
    }
  });
}

function farthest(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  return Math.max(...a.flatMap((row, i) => Array.from(row, (value, j) => Math.abs(value - (b[i]?.[j] ?? NaN)))));
}

describe('the IR in an artifact', () => {
  it('means what the network meant and what the program does', () =>
    withArtifact(async (folder, manifest) => {
      const expected = createInterpreter(network, noWeights).runTokens(ids).logits;
      const carried = readArtifactIr(folder, manifest);
      try {
        assert.ok(farthest(createInterpreter(carried.network, carried.source).runTokens(ids).logits, expected) < 1e-5);
        assert.equal(carried.program.name, manifest.program.name);
        for (const name of carried.source.names()) assert.ok(carried.source.shape(name) !== undefined);
      } finally {
        carried.close();
      }
      const model = await load(folder);
      assert.ok(farthest((await model.forward(ids)).logits, expected) < 1e-4);
    }));

  it('means the same with int8 weights, which are read back as they were rounded', () =>
    withArtifact(async (folder, manifest) => {
      const expected = createInterpreter(narrowed(network, 'all'), noWeights).runTokens(ids).logits;
      assert.ok(farthest(createInterpreter(network, noWeights).runTokens(ids).logits, expected) > 1e-3);
      const carried = readArtifactIr(folder, manifest);
      try {
        assert.ok(farthest(createInterpreter(carried.network, carried.source).runTokens(ids).logits, expected) < 1e-4);
      } finally {
        carried.close();
      }
      const model = await load(folder);
      assert.ok(farthest((await model.forward(ids)).logits, expected) < 1e-4);
    }, 'q8'));

  it('means the same where one op reads a constant as int8 and another its numbers', () =>
    withFolder(async (folder) => {
      const head = narrowed(network, 'head');
      const ops = head.entry.ops.map(({ attrs: { weights: _, ...attrs }, ...op }) => ({ ...op, attrs }));
      const mixed = { ...head, entry: { ...head.entry, ops } };
      assert.notDeepEqual(mixed, head);
      const input = join(folder, 'mixed.rir');
      writeFileSync(input, printModule(mixed));
      const built = await build({ input });
      const out = join(folder, 'out');
      const manifest = await writeArtifact(
        { ...built, ir: irFiles(built.network, built.program), version: '0.0.0' },
        out,
        { loader: toyLoader },
      );
      built.close();
      assert.equal(manifest.program.dtype, 'q8-head');
      const expected = createInterpreter(mixed, noWeights).runTokens(ids).logits;
      const carried = readArtifactIr(out, manifest);
      assert.ok(farthest(createInterpreter(carried.network, carried.source).runTokens(ids).logits, expected) < 1e-4);
      carried.close();
      assert.ok(farthest((await (await load(out)).forward(ids)).logits, expected) < 1e-4);
    }));

  it('is refused when it is damaged, as are the weights', () =>
    withArtifact(async (folder, manifest) => {
      const read = (): void => {
        const carried = readArtifactIr(folder, manifest);
        try {
          createInterpreter(carried.network, carried.source).runTokens([1]);
        } finally {
          carried.close();
        }
      };
      read();
      const chunk = join('weights', readdirSync(join(folder, 'weights'))[0] ?? '');
      for (const name of ['network.rir', 'kernels.rir', chunk]) {
        const file = join(folder, name);
        const bytes = readFileSync(file);
        const damaged = Uint8Array.from(bytes);
        damaged[20] = (damaged[20] ?? 0) ^ 1;
        writeFileSync(file, damaged);
        assert.throws(read, hasCode('RC0835', new RegExp(name)));
        truncateSync(file, 30);
        assert.throws(read, hasCode('RC0835'));
        rmSync(file);
        assert.throws(read, hasCode('RC0132'));
        writeFileSync(file, bytes);
      }
      assert.throws(() => readArtifactIr(folder, { ...manifest, ir: [] }), hasCode('RC0834'));
      const swapped = manifest.ir.map((entry, i) => ({ ...(manifest.ir[1 - i] ?? entry), file: entry.file }));
      writeFileSync(join(folder, 'spare'), readFileSync(join(folder, 'kernels.rir')));
      writeFileSync(join(folder, 'kernels.rir'), readFileSync(join(folder, 'network.rir')));
      writeFileSync(join(folder, 'network.rir'), readFileSync(join(folder, 'spare')));
      assert.throws(() => readArtifactIr(folder, { ...manifest, ir: swapped }), hasCode('RC0835', /another stage/));
    }));
});
