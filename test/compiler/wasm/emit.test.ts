/** @file The emitted module as a whole. */
import assert from 'node:assert/strict';
import { emitWasm } from '../../../compiler/wasm/index.ts';
import type { KernelProgram } from '../../../ir/index.ts';
import { programOf } from './support.ts';
import { toyProgram } from './toy.ts';

const routing = { kv: 'project', revisit: 'append', maxHops: 8 } as const;

async function moduleOf(program: KernelProgram, counters = false): Promise<WebAssembly.Module> {
  return new WebAssembly.Module((await emitWasm(program, { counters })) as BufferSource);
}

describe('emitWasm', () => {
  it('imports nothing and exports what the runtime calls', async () => {
    for (const program of [toyProgram(null), toyProgram(routing)]) {
      const module = await moduleOf(program);
      assert.deepEqual(WebAssembly.Module.imports(module), []);
      const names = WebAssembly.Module.exports(module).map(({ name }) => name);
      assert.deepEqual(names.toSorted(), ['decode', 'head', 'memory', 'prefill', 'reset']);
      assert.deepEqual(WebAssembly.Module.customSections(module, 'name'), []);
    }
    const counted = WebAssembly.Module.exports(await moduleOf(toyProgram(null), true));
    assert.ok(counted.some(({ name }) => name === 'counters'));
  });

  it('has exactly the planned memory, which cannot grow', async () => {
    const program = toyProgram(routing);
    for (const counters of [false, true]) {
      const { exports } = new WebAssembly.Instance(await moduleOf(program, counters));
      const memory = exports['memory'] as WebAssembly.Memory;
      assert.equal(memory.buffer.byteLength, program.memory?.total);
      assert.throws(() => memory.grow(1), RangeError);
    }
  });

  it('gives the same bytes twice', async () => {
    for (const program of [toyProgram(null), toyProgram(routing)]) {
      assert.deepEqual(await emitWasm(program), await emitWasm(program));
    }
  });

  it('shares the code of blocks of equal shape', async () => {
    const program = toyProgram(null);
    const [first, second] = program.blocks;
    if (first === undefined || second === undefined) throw new Error('the toy has more blocks');
    const last = { ...second, edge: { router: null, successors: ['exit'] } } as const;
    const fewer = { ...program, blocks: [first, last] };
    const [all, some] = [await emitWasm(program), await emitWasm(fewer)];
    const perBlock = (all.length - some.length) / (program.blocks.length - fewer.blocks.length);
    assert.ok(perBlock < 40, `a block more takes ${perBlock} bytes`);
  });

  it('refuses a program that is not planned', async () => {
    await assert.rejects(emitWasm(programOf({})), /^Error: internal: the program has no memory plan/);
  });
});
