/** @file The memory map of whole programs, and what is said when it does not fit. */
import assert from 'node:assert/strict';
import { bufferBytes, weightBytes } from '../../../ir/index.ts';
import type { Buffer, KernelProgram } from '../../../ir/index.ts';
import { passesNamed, runPasses } from '../../../passes/index.ts';
import type { PassOptions } from '../../../passes/index.ts';
import { planMemory } from '../../../passes/kernel/plan-memory.ts';
import { diagnosticsOf } from '../../support/error-files.ts';
import { tinyNetwork } from '../../support/tiny.ts';

function lowered(): KernelProgram {
  const { module } = runPasses(tinyNetwork(), passesNamed(['lower', 'plan-kv-cache']));
  assert(module.stage === 'kernel');
  return module;
}

function planned(program: KernelProgram, options: PassOptions = {}): KernelProgram {
  return planMemory.run(program, { options });
}

describe('plan-memory', () => {
  it('lays out guard, state, scratch, pool and weights, in this order', () => {
    const program = planned(lowered());
    const ends = (scope: Buffer['scope']): number[] =>
      program.buffers
        .filter((buffer) => buffer.scope === scope)
        .map((buffer) => (buffer.at ?? NaN) + bufferBytes(buffer, program));
    const starts = (scope: Buffer['scope']): number[] =>
      program.buffers.filter((buffer) => buffer.scope === scope).map(({ at }) => at ?? NaN);
    const { kv, memory, weights } = program;
    assert(typeof kv?.at === 'number' && memory !== null);
    assert.equal(Math.min(...starts('state')), 1024);
    assert(Math.max(...ends('state')) <= Math.min(...starts('scratch')));
    assert(Math.max(...ends('scratch')) <= kv.at);
    assert(kv.at + kv.pages * kv.slots * kv.width * 8 <= memory.weightsAt);
    assert.deepEqual([memory.weightsAt % 65_536, memory.total % 65_536], [0, 0]);
    const last = weights.at(-1);
    assert(typeof last?.at === 'number');
    assert.equal(memory.weightsBytes, last.at + weightBytes(last));
    assert(memory.weightsAt + memory.weightsBytes <= memory.total);
    for (const { at } of [...program.buffers, ...weights, kv]) assert.equal((at ?? NaN) % 64, 0);
  });

  it('places what the target asks for besides', () => {
    const extra: Buffer = { name: '$packed', dtype: 'f32', rows: 4, columns: 100, scope: 'scratch', at: null };
    const program = planned(lowered(), { extraBuffers: ({ chunk }) => [{ ...extra, rows: chunk }] });
    const found = program.buffers.find(({ name }) => name === '$packed');
    assert(typeof found?.at === 'number' && found.at >= 1024);
    assert.equal(found.rows, 40);
    for (const other of program.buffers) {
      if (other === found || other.at === null) continue;
      assert(other.at + bufferBytes(other, program) <= found.at || found.at + bufferBytes(found, program) <= other.at);
    }
  });

  it('plans once', () => {
    const program = planned(lowered());
    assert.equal(planned(program), program);
  });

  it('says what takes the room when 4 GiB do not suffice (RC0704)', () => {
    const program = lowered();
    assert(program.kv !== null);
    const kv = { ...program.kv, pages: 3_000_000 };
    const [found] = diagnosticsOf(() => planned({ ...program, kv }));
    assert.equal(found?.code, 'RC0704');
    assert.match(
      found.message,
      /^the program needs 5859\.\d MiB of memory, 32-bit addresses reach 4095\.9 MiB: weights 0\.0 MiB, KV cache 5859\.4 MiB, buffers 0\.1 MiB$/,
    );
    assert.match(found.help ?? '', /--context/);
  });

  it('asks for the KV plan first (RC0705)', () => {
    const { module } = runPasses(tinyNetwork(), passesNamed(['lower']));
    assert(module.stage === 'kernel');
    assert.deepEqual(
      diagnosticsOf(() => planned(module)).map(({ code }) => code),
      ['RC0705'],
    );
  });
});
