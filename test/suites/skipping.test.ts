/** @file Skipping is real: an instrumented program counts its kernel calls and their rows. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from '../../compiler/build.ts';
import { WALK_END, kernelKinds, printModule } from '../../ir/index.ts';
import type { KernelKind, KvPolicy } from '../../ir/index.ts';
import type { ProgramInfo } from '../../runtime/index.ts';
import { tinyNetwork } from '../support/tiny.ts';

interface Count {
  readonly calls: number;
  readonly rows: number;
}

interface Machine {
  /** Runs `tokens` tokens along the walk, in a step each of another sequence, and gives the counts of that run. Weights are zero: only control is looked at. */
  count(
    mode: 'prefill' | 'decode' | 'step',
    tokens: number,
    walk: (token: number) => readonly number[],
  ): ReadonlyMap<KernelKind, Count>;
}

async function instrumented(kv: KvPolicy, sequences = 1): Promise<Machine> {
  const folder = mkdtempSync(join(tmpdir(), 'radialc-'));
  try {
    const input = join(folder, 'network.rir');
    writeFileSync(input, printModule(tinyNetwork({ layers: 4, routed: true, routing: { kv } })));
    const built = await build({ input, counters: true, sequences });
    built.close();
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(built.wasm as Uint8Array<ArrayBuffer>), {});
    return machineOf(exports as unknown as Exports, built.info.abi);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly reset: () => void;
  readonly prefill: (first: number, count: number) => void;
  readonly decode: (position: number) => void;
  readonly step: (count: number, forward: number) => void;
  readonly counters: () => number;
}

function machineOf(exports: Exports, { walk: walkRows, sequences }: ProgramInfo['abi']): Machine {
  const memory = new Int32Array(exports.memory.buffer);
  const putWalk = (row: number, walk: readonly number[]): void => {
    memory.set([...walk, WALK_END], (walkRows?.at ?? 0) / 4 + row * (walkRows?.stride ?? 0));
  };
  return {
    count: (mode, tokens, walk) => {
      const counters = memory.subarray(exports.counters() / 4, exports.counters() / 4 + 2 * kernelKinds.length);
      counters.fill(0);
      exports.reset();
      for (let t = 0; t < tokens; t++) {
        putWalk(mode === 'decode' ? 0 : t, walk(t));
        if (mode === 'decode') exports.decode(t);
      }
      if (mode === 'prefill') exports.prefill(0, tokens);
      if (mode === 'step') {
        for (let t = 0; t < tokens; t++) memory[(sequences?.at ?? 0) / 4 + t * (sequences?.stride ?? 0)] = t;
        exports.step(tokens, 0);
      }
      return new Map(
        kernelKinds.map((kind, i) => [kind, { calls: counters[2 * i] ?? 0, rows: counters[2 * i + 1] ?? 0 }]),
      );
    },
  };
}

const all = [0, 1, 2, 3, 4, 5, 6, 7];
/** Every other layer: half of the attention blocks, half of the MLP blocks. */
const half = [0, 1, 4, 5];
const blockKernels: readonly KernelKind[] = ['linear', 'append', 'attend'];

describe('skipped blocks are not computed', () => {
  it('decode with half of the blocks calls half of the kernels', async () => {
    const machine = await instrumented('absent');
    const full = machine.count('decode', 10, () => all);
    const routed = machine.count('decode', 10, () => half);
    for (const kind of blockKernels) {
      assert.ok((full.get(kind)?.calls ?? 0) >= 40, kind);
      assert.equal((routed.get(kind)?.calls ?? 0) * 2, full.get(kind)?.calls, kind);
    }
  });

  it('prefill with half of the tokens at each block computes half of the rows', async () => {
    const machine = await instrumented('absent');
    const full = machine.count('prefill', 20, () => all);
    const routed = machine.count('prefill', 20, (t) => all.filter((block) => (block + t) % 2 === 0));
    for (const kind of blockKernels) {
      assert.equal((routed.get(kind)?.rows ?? 0) * 2, full.get(kind)?.rows, kind);
    }
  });

  it('a block that no token executes is not entered', async () => {
    const machine = await instrumented('absent');
    const full = machine.count('prefill', 20, () => all);
    const routed = machine.count('prefill', 20, () => half);
    for (const kind of blockKernels) assert.equal((routed.get(kind)?.calls ?? 0) * 2, full.get(kind)?.calls, kind);
  });

  it('sequences that are at the same block go through it together, on whatever way they came', async () => {
    for (const kv of ['absent', 'project'] as const) {
      const machine = await instrumented(kv, 8);
      const alone = machine.count('decode', 1, () => all);
      const together = machine.count('step', 8, () => all);
      for (const kind of blockKernels) {
        assert.equal(together.get(kind)?.calls, alone.get(kind)?.calls, kind);
        assert.equal(together.get(kind)?.rows, 8 * (alone.get(kind)?.rows ?? 0), kind);
      }
    }
    // Three at block 0, one at block 2 of its own; then all four meet at block 2, and go to block 0.
    const machine = await instrumented('absent', 8);
    const apart = machine.count('step', 4, (t) => (t === 3 ? [2, 0] : [0, 2, 0]));
    assert.deepEqual(apart.get('attend'), { calls: 3, rows: 11 });
  });

  it('tokens that skip everything cost the entry alone', async () => {
    const machine = await instrumented('absent');
    for (const kind of blockKernels) assert.equal(machine.count('prefill', 20, () => []).get(kind)?.rows, 0, kind);
    assert.equal(machine.count('decode', 5, () => []).get('embed')?.rows, 10);
  });

  it('project computes K and V of a skipped block and nothing else; latest only copies', async () => {
    const [projecting, copying] = await Promise.all([instrumented('project'), instrumented('latest')]);
    const projected = projecting.count('decode', 10, () => half);
    // Per token: 4 layers keep a K and V (append), 2 of them by projection alone (one linear each).
    assert.equal(projected.get('append')?.calls, 40);
    assert.equal(projected.get('attend')?.calls, 20);
    assert.equal(projected.get('linear')?.calls, 10 * (2 * 4 + 2));
    const copied = copying.count('decode', 10, () => half);
    assert.equal(copied.get('append')?.calls, 20);
    assert.equal(copied.get('linear')?.calls, 10 * 2 * 4);
  });
});
