/** @file The KV bytes of a token, before and after the passes that change them. */
import assert from 'node:assert/strict';
import { kvBytesOf, pipelinePasses, runPasses } from '../../../passes/index.ts';
import { tinyNetwork } from '../../support/tiny.ts';

// Two attention blocks of 16 columns; K and V of four bytes each.
const ENTRY = 16 * 8;

describe('kvBytesOf', () => {
  const network = tinyNetwork();

  it('of a network that is not routed: each attention block once, at most too', () => {
    assert.deepEqual(kvBytesOf(network, { options: {} }), { static: 2 * ENTRY, worst: 2 * ENTRY });
  });

  it('grows with what a route from outside may append, once it is radial', () => {
    const options = { route: 'external', kv: 'absent', revisit: 'append', maxHops: 6 } as const;
    const passes = pipelinePasses('O0');
    const bytes = passes.map((_, i) =>
      kvBytesOf(runPasses(network, passes.slice(0, i + 1), { options }).module, { options }),
    );
    const radial = passes.findIndex(({ name }) => name === 'radialize');
    for (const [i, found] of bytes.entries()) {
      assert.deepEqual(found, { static: 2 * ENTRY, worst: (i < radial ? 2 : 6) * ENTRY }, passes[i]?.name);
    }
  });

  it('is nothing without attention', () => {
    const blocks = network.blocks.filter(({ role }) => role === 'mlp');
    const entry = { ...network.entry, edge: { ...network.entry.edge, successors: [1] } };
    const edges = new Map([
      [1, [3]],
      [3, ['exit' as const]],
    ]);
    const mlps = blocks.map((block) => ({ ...block, edge: { ...block.edge, successors: edges.get(block.id) ?? [] } }));
    assert.equal(kvBytesOf({ ...network, entry, blocks: mlps }, { options: {} }), null);
  });
});
