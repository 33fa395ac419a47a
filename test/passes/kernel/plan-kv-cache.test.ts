/** @file The figures of the KV plan: two attention blocks, a context of 40, K and V of 16 columns each (128 bytes an entry). */
import assert from 'node:assert/strict';
import { kvDemand } from '../../../ir/index.ts';
import type { KvDemand, KvPlan, Network, Routing, Successor } from '../../../ir/index.ts';
import { passesNamed, runPasses } from '../../../passes/index.ts';
import { diagnosticsOf } from '../../support/error-files.ts';
import { tinyNetwork } from '../../support/tiny.ts';

function plan(network: Network): KvPlan | null {
  const { module } = runPasses(network, passesNamed(['lower', 'plan-kv-cache']));
  assert(module.stage === 'kernel');
  return module.kv;
}

function figures(network: Network): readonly number[] {
  const kv = plan(network);
  assert(kv !== null);
  return [kv.entriesPerList, kv.pagesPerList, kv.pages, kv.bytesPerTokenStatic, kv.bytesPerTokenWorst];
}

/** Any block may follow any block, itself too. */
function hub(routing: Partial<Routing>): Network {
  return tinyNetwork({ routed: true, routing });
}

function withSuccessors(network: Network, lists: readonly (readonly Successor[])[]): Network {
  const blocks = network.blocks.map((block, i) => {
    const successors = lists[i] ?? [];
    return { ...block, edge: { router: successors.length > 1 ? ({ kind: 'external' } as const) : null, successors } };
  });
  return { ...network, blocks };
}

describe('plan-kv-cache', () => {
  it('counts every position once in each list of a sequential program', () => {
    assert.deepEqual(figures(tinyNetwork()), [40, 3, 6, 256, 256]);
    const kv = plan(tinyNetwork());
    assert.deepEqual([kv?.slots, kv?.width, kv?.lists, kv?.at], [16, 16, 2, null]);
  });

  it('needs fewer pages when a token cannot reach every list', () => {
    assert.deepEqual(figures(hub({ maxHops: 1 })), [40, 3, 4, 256, 128]);
  });

  it('counts fills: under project and latest every list has an entry of every token', () => {
    for (const kv of ['project', 'latest'] as const) {
      assert.deepEqual(figures(hub({ maxHops: 1, kv })), [40, 3, 6, 256, 256]);
    }
  });

  it('counts every visit under append', () => {
    assert.deepEqual(figures(hub({ maxHops: 4, revisit: 'append' })), [160, 10, 12, 256, 512]);
    assert.deepEqual(figures(hub({ maxHops: 4, revisit: 'append', kv: 'project' })), [160, 10, 14, 256, 640]);
  });

  it('counts only the visits that the edges allow', () => {
    const routing = { maxHops: 6, revisit: 'append' } as const;
    const twoCycle = withSuccessors(tinyNetwork({ routing }), [[1], [2, 0], [3], ['exit']]);
    // ^0 at hops 1, 3 and 5; ^2 once.
    assert.deepEqual(figures(twoCycle), [120, 8, 11, 256, 512]);
    const forward = withSuccessors(tinyNetwork({ routing }), [[1, 2], [2, 3], [3], ['exit']]);
    assert.deepEqual(figures(forward), [40, 3, 6, 256, 256]);
  });

  it('asks for too much rather than too little where counting would take too long', () => {
    const size = 6000;
    const { module } = runPasses(hub({ maxHops: 6, revisit: 'append' }), passesNamed(['lower']));
    assert(module.stage === 'kernel');
    const [block] = module.blocks;
    assert(block !== undefined);
    // Each block leads to the next one, the last to the first, so that no token visits a block twice in 6 hops.
    const ring = (length: number): KvDemand => {
      const blocks = Array.from({ length }, (_, id) => ({
        ...block,
        id,
        list: id,
        edge: { router: { kind: 'external' as const }, successors: [(id + 1) % length, 'exit' as const] },
      }));
      return kvDemand({ ...module, blocks });
    };
    assert.equal(ring(60).entriesPerList, module.context);
    assert.equal(ring(size).entriesPerList, 6 * module.context);
    assert.equal(ring(size).entriesPerToken, 6);
  });

  it('makes no plan for a program without attention', () => {
    const network = tinyNetwork();
    const mlps = network.blocks.filter(({ role }) => role === 'mlp');
    const none: Network = {
      ...withSuccessors({ ...network, blocks: mlps }, [[3], ['exit']]),
      entry: { ...network.entry, edge: { router: null, successors: [1] } },
    };
    assert.equal(plan(none), null);
  });

  it('refuses to copy entries between lists of different shapes (RC0706)', () => {
    const [narrow, wide] = [
      tinyNetwork({ kvHeads: 1, routed: true, routing: { kv: 'latest' } }),
      tinyNetwork({ kvHeads: 2 }),
    ];
    const consts = [
      ...narrow.consts,
      ...wide.consts.map((constant) => ({ ...constant, name: `@wide.${constant.name}` as const })),
    ];
    const [, , block] = wide.blocks;
    assert(block !== undefined);
    const ops = block.body.ops.map((op) => {
      const rename = <R extends string>(ref: R): R => (ref.startsWith('@') ? (`@wide.${ref}` as R) : ref);
      const extras = Object.fromEntries(Object.entries(op.extras).map(([name, ref]) => [name, rename(ref)]));
      return { ...op, operands: op.operands.map(rename), extras };
    });
    const mixed = narrow.blocks.map((old) => (old.id === 2 ? { ...old, body: { ...block.body, ops } } : old));
    const found = diagnosticsOf(() => plan({ ...narrow, consts, blocks: mixed }));
    assert.deepEqual(
      found.map(({ code }) => code),
      ['RC0706'],
    );
    assert.match(found[0]?.message ?? '', /1 × 8 of them, others 2 × 8/);
  });

  it('RC0708: refuses a program that has its buffers already, but no plan', () => {
    const { module } = runPasses(tinyNetwork(), passesNamed(['lower', 'plan-kv-cache']));
    assert(module.stage === 'kernel');
    const [diagnostic] = diagnosticsOf(() => {
      runPasses({ ...module, kv: null }, passesNamed(['plan-kv-cache']));
    });
    assert.equal(diagnostic?.code, 'RC0708');
    assert.match(diagnostic.message, /\$slot, which plan-kv-cache makes/);
  });
});
