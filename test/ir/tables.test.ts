/** @file How many token ids a module knows. */
import assert from 'node:assert/strict';
import { parseModule, vocabularyOf } from '../../ir/index.ts';
import type { KernelProgram, Network } from '../../ir/index.ts';
import { pipelinePasses, runPasses } from '../../passes/index.ts';
import { randomNetwork } from '../support/random-network.ts';
import { tinyNetwork } from '../support/tiny.ts';

function compiled(network: Network): KernelProgram {
  const { module } = runPasses(network, pipelinePasses('O2'));
  assert(module.stage === 'kernel');
  return module;
}

describe('vocabularyOf', () => {
  it('counts the rows of the table, however it is stored', () => {
    const network = tinyNetwork({ vocab: 24 });
    assert.deepEqual([vocabularyOf(network), vocabularyOf(compiled(network))], [24, 24]);
  });

  it('is the least of several tables, each less its offset', () => {
    const module = parseModule(
      `network @n {task: "causal-lm", context: 3, kv: "absent", revisit: "overwrite", max_hops: 1}
const @a : f32[9, 4] = full {value: 1}
const @b : f32[8, 4] = full {value: 2}
const @angles : f32[7, 2] = full {value: 3}
entry(%ids: i32[tokens], %pos: i32[tokens]) {
  %0 = embed(%ids, @a) {offset: 3}
  %1 = embed(%ids, @b) {offset: 1}
  %2 = embed(%pos, @b) {offset: 5}
  %3 = add(%0, %1)
  %4 = rope(%3, %ids, @angles, @angles) {head_dim: 4}
  %5 = add(%4, %2)
  yield %5
} -> exit
exit(%x: f32[tokens, 4]) {
  %0 = linear(%x, @a)
  yield %0
}`,
      'x.rir',
    );
    assert(module.stage === 'network');
    assert.deepEqual([vocabularyOf(module), vocabularyOf(compiled(module))], [6, 6]);
  });

  it('is nothing for images', () => {
    const network = randomNetwork(3, { task: 'image-classification' });
    assert.deepEqual([vocabularyOf(network), vocabularyOf(compiled(network))], [null, null]);
  });
});
