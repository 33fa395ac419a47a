/** @file Which block runs next where rows of several sequences wait: the longest queue's, no queue's never, in order in a sweep. */
import assert from 'node:assert/strict';
import binaryen from 'binaryen';
import fc from 'fast-check';
import { WALK_END } from '../../../ir/index.ts';
import type { BlockInstance } from '../../../ir/index.ts';
import { ModuleBuilder } from '../../../compiler/wasm/asm/module.ts';
import { nextBlock } from '../../../compiler/wasm/control/schedule.ts';
import { layoutOf } from '../../../compiler/wasm/plan/layout.ts';
import { place, programOf } from './support.ts';

const ROWS = 12;
const NOBODY = -1;
/** Ids have gaps, as after pruning. */
const blockIds = [0, 1, 4, 6, 9];

/** The scheduler alone: gives the block to run, where each row waits for this one. */
function scheduler(): (waits: readonly number[], forward?: boolean) => number {
  const edge: BlockInstance['edge'] = { router: { kind: 'external' }, successors: [...blockIds, 'exit'] };
  const blocks = blockIds.map((id): BlockInstance => {
    return { id, role: 'mlp', body: 'nothing', args: [], list: null, edge };
  });
  const layout = layoutOf(place(programOf({ blocks, chunk: ROWS, sequences: ROWS })));
  const module = new ModuleBuilder(binaryen);
  module.memory(layout.memoryBytes);
  const target = { module, layout, counters: null };
  module.define('next', { params: ['i32', 'i32'], result: 'i32' }, (f, [rows, forward]) => {
    f.return(nextBlock(target, f, rows, forward));
  });
  module.export('next');
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.finish() as Uint8Array<ArrayBuffer>));
  const next = exports['next'] as (rows: number, forward: number) => number;
  const memory = new Int32Array((exports['memory'] as WebAssembly.Memory).buffer);
  return (waits, forward = false) => {
    memory.set(waits, layout.buffer('$next').at / 4);
    return next(waits.length, Number(forward));
  };
}

describe('the scheduler of blocks', () => {
  it('takes the block that most rows wait for, of equal ones the first, and stops when all have left', () => {
    assert.equal(scheduler()([6, 1, 6, 9, WALK_END, 1, 6]), 6);
    assert.equal(scheduler()([6, 1, WALK_END, 1, 6]), 1);
    assert.equal(scheduler()([WALK_END, WALK_END]), NOBODY);
    assert.equal(scheduler()([]), NOBODY);
  });

  it('takes blocks in order where walks lead forward, however many rows wait further on', () => {
    const next = scheduler();
    const waits = [9, 0, 9, 4, 9];
    const fired: number[] = [];
    for (let block = next(waits, true); block !== NOBODY; block = next(waits, true)) {
      fired.push(block);
      waits.forEach((wait, row) => {
        if (wait === block) waits[row] = block === 0 ? 6 : WALK_END;
      });
    }
    assert.deepEqual(fired, [0, 4, 6, 9]);
  });

  it('lets a single row through although all others pass it by in a crowd', () => {
    const next = scheduler();
    const waits = [4, ...Array.from({ length: ROWS - 1 }, () => 0)];
    const fired: number[] = [];
    while (fired.at(-1) !== 4) {
      assert.ok(fired.length < 2 * ROWS, `block 4 starves: ${fired.join(' ')}`);
      const block = next(waits);
      fired.push(block);
      for (let row = 1; row < ROWS; row++) waits[row] = block === 0 ? 1 : 0;
    }
    // The crowd is served first.
    assert.ok(fired.length > ROWS / 2);
  });

  it('lets no row wait for more than twice as many rounds as there are rows, whatever the others do', () => {
    const moves = fc.array(fc.constantFrom(...blockIds), { minLength: 400, maxLength: 400 });
    fc.assert(
      fc.property(moves, fc.integer({ min: 1, max: ROWS }), (places, rows) => {
        const next = scheduler();
        let drawn = 0;
        const draw = (): number => places[drawn++ % places.length] ?? 0;
        const waits = Array.from({ length: rows }, draw);
        const since = waits.map(() => 0);
        for (let round = 1; round <= 100; round++) {
          const block = next(waits);
          waits.forEach((wait, row) => {
            assert.ok(round - (since[row] ?? 0) <= 2 * rows + 1, `row ${row} starves at block ${wait}`);
            if (wait === block) [waits[row], since[row]] = [draw(), round];
          });
        }
      }),
      { numRuns: 30 },
    );
  });
});
