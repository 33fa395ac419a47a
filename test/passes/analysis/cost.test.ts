/** @file The cost model, by numbers that can be worked out by hand. */
import assert from 'node:assert/strict';
import { costOf } from '../../../passes/index.ts';
import { narrowed } from '../../support/compare-networks.ts';
import { tinyNetwork } from '../../support/tiny.ts';

// Hidden 16, 2 heads, MLP 64, vocabulary 24, context 40.
const attentionLinears = 2 * 4 * 16 * 16;
const layerNorm = 8 * 16;
const residual = 16;

describe('costOf', () => {
  it('counts the flops of one token that sees itself', () => {
    const { entry, blocks, exit, total } = costOf(tinyNetwork());
    assert.deepEqual(
      blocks.map(({ id, role }) => [id, role]),
      [
        [0, 'attention'],
        [1, 'mlp'],
        [2, 'attention'],
        [3, 'mlp'],
      ],
    );
    assert.equal(blocks[0]?.flops, layerNorm + attentionLinears + 4 * 16 + residual);
    assert.equal(blocks[1]?.flops, layerNorm + 2 * 2 * 16 * 64 + 64 + residual);
    assert.equal(exit.flops, 2 * 16 * 24);
    assert.equal(entry.flops, 16);
    assert.equal(total.flops, entry.flops + exit.flops + blocks.reduce((sum, { flops }) => sum + flops, 0));
  });

  it('grows attention with the entries that are seen, everything with the rows', () => {
    const [once] = costOf(tinyNetwork()).blocks;
    const [seeing] = costOf(tinyNetwork(), { rows: 1, cached: 11 }).blocks;
    const [many] = costOf(tinyNetwork(), { rows: 5, cached: 1 }).blocks;
    assert(once !== undefined && seeing !== undefined && many !== undefined);
    assert.equal(seeing.flops - once.flops, 10 * 4 * 16);
    assert.equal(many.flops, 5 * once.flops);
  });

  it('counts weights, those that regions share once in the total', () => {
    const { entry, blocks, exit, total } = costOf(tinyNetwork());
    assert.equal(blocks[0]?.parameters, 4 * (16 * 16 + 16) + 2 * 16);
    assert.equal(blocks[0].weightBytes, 4 * blocks[0].parameters);
    assert.deepEqual([entry.parameters, exit.parameters], [(24 + 40) * 16, 24 * 16]);
    const sum = entry.parameters + blocks.reduce((all, { parameters }) => all + parameters, 0);
    assert.equal(total.parameters, sum);
  });

  it('counts int8 as a byte for each number and a scale for each row', () => {
    const { exit, total } = costOf(narrowed(tinyNetwork(), 'head'));
    assert.equal(exit.weightBytes, 24 * 16 + 4 * 24);
    assert.equal(total.weightBytes, costOf(tinyNetwork()).total.weightBytes - 3 * 24 * 16 + 4 * 24);
  });
});
