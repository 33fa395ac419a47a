/** @file Kernel programs, lowered from random networks at every level, print and read back as they are, and are valid. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseModule } from '../../../ir/text/parse.ts';
import { printModule } from '../../../ir/text/print.ts';
import { verifyModule } from '../../../ir/verify/module.ts';
import { pipelinePasses, runPasses } from '../../../passes/index.ts';
import type { OptimisationLevel } from '../../../passes/index.ts';
import { networkArbitrary } from '../../support/random-network.ts';

function withoutSpans(module: unknown): unknown {
  return JSON.parse(
    JSON.stringify(module, (key, value: unknown) => (key === 'span' || key === 'yieldSpan' ? undefined : value)),
  );
}

describe('text form of kernel programs', () => {
  it('prints what it has read, and reads what it has printed', () => {
    const level = fc.constantFrom<OptimisationLevel>('O0', 'O1', 'O2');
    const held = fc.constantFrom(1, 2, 5);
    fc.assert(
      fc.property(networkArbitrary(), level, fc.boolean(), held, (network, name, isPlaced, most) => {
        const passes = pipelinePasses(name);
        const sequences = network.task === 'causal-lm' ? most : 1;
        const { module } = runPasses(network, passes, {
          options: { sequences },
          ...(!isPlaced && { stopAfter: 'lower' }),
        });
        const text = printModule(module);
        const back = parseModule(text, 'printed.rir');
        assert.equal(printModule(back), text);
        assert.deepEqual(withoutSpans(back), withoutSpans(module));
        assert.deepEqual(verifyModule(back), []);
      }),
      { numRuns: 150 },
    );
  });
});
