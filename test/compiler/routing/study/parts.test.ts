/** @file The arithmetic of a study: KV entries, predicted cost, lines, medians, texts of tokens. */
import assert from 'node:assert/strict';
import { fitLine } from '../../../../compiler/routing/study/fit.ts';
import { createKvLists } from '../../../../compiler/routing/study/kv-lists.ts';
import type { KvStep } from '../../../../compiler/routing/study/kv-lists.ts';
import { piecesOf } from '../../../../compiler/routing/study/passage.ts';
import { costModel, predictedOf } from '../../../../compiler/routing/study/predict.ts';
import { binsOf, quartiles, ratioTable, thresholdsAt } from '../../../../compiler/routing/study/ratios.ts';
import { depthsFor } from '../../../../compiler/routing/study/settings.ts';
import { trafficOf } from '../../../../compiler/routing/study/traffic.ts';
import type { KvPolicy, Network, RevisitRule } from '../../../../ir/index.ts';
import { costOf } from '../../../../passes/index.ts';
import type { Walk } from '../../../../runtime/index.ts';
import { tinyNetwork } from '../../../support/tiny.ts';

const blocks = [0, 1, 2, 3, 4].map((id) => ({ id, role: id % 2 === 0 ? ('attention' as const) : ('mlp' as const) }));

describe('entries that walks leave', () => {
  const after = (walk: readonly number[], kv: KvPolicy, revisit: RevisitRule = 'overwrite'): KvStep =>
    createKvLists({ kv, revisit, blocks })(walk);

  it('absent: where attention was executed, once or each time', () => {
    assert.equal(after([0, 1, 4], 'absent').entries, 2);
    assert.equal(after([2, 1, 2, 2], 'absent').entries, 1);
    assert.equal(after([2, 1, 2, 2], 'absent', 'append').entries, 3);
    assert.equal(after([], 'absent').entries, 0);
  });

  it('project: also at each block that was passed over', () => {
    assert.deepEqual(after([1, 3], 'project'), { seen: [0, 0], projected: [0, 2, 4], entries: 3 });
    assert.equal(after([4, 0], 'project').entries, 3);
    // The jump back passes over none; the exit stands after all.
    assert.deepEqual(after([4, 0], 'project').projected, [0, 2, 2, 4]);
  });

  it('latest: at blocks passed over behind one that was executed', () => {
    assert.equal(after([1, 3], 'latest').entries, 0);
    assert.equal(after([2, 3], 'latest').entries, 2);
    assert.equal(after([0], 'latest').entries, 3);
  });

  it('are seen by the tokens after them', () => {
    const step = createKvLists({ kv: 'absent', revisit: 'append', blocks });
    assert.deepEqual(step([0, 1, 0]).seen, [1, 0, 2]);
    assert.deepEqual(step([2, 0]).seen, [1, 3]);
  });
});

describe('predicted cost', () => {
  const network = tinyNetwork({ layers: 2, heads: 2, kvHeads: 2, hidden: 8 });
  const all = network.blocks.map(({ id }) => id);
  const model = costModel(network, { kv: 'project', revisit: 'overwrite', blocks: network.blocks }, 64);

  it('of a token that executes everything is that of the cost model', () => {
    const { total } = costOf(network, { rows: 1, cached: 1 });
    assert.equal(predictedOf(model, [[all]], false).flops, total.flops);
    const second = costOf(network, { rows: 1, cached: 2 }).total.flops;
    assert.equal(predictedOf(model, [[all, all]], false).flops, (total.flops + second) / 2);
  });

  it('falls with each block that is skipped, but not to nothing', () => {
    const walks = [all, all.slice(1), all.slice(2), []];
    const costs = walks.map((walk) => predictedOf(model, [[walk]], false));
    for (const [i, cost] of costs.slice(1).entries()) {
      assert.ok(cost.flops < (costs[i]?.flops ?? 0) && cost.bytes < (costs[i]?.bytes ?? 0));
    }
    const absent = costModel(network, { kv: 'absent', revisit: 'overwrite', blocks: network.blocks }, 64);
    assert.ok(predictedOf(absent, [[[]]], false).flops < predictedOf(model, [[[]]], false).flops);
  });

  it('has the decisions of gates, once each, and of a hub at each hop, where the router decides', () => {
    // A router that costs what the head does.
    const { exit } = network;
    const { flops, weightBytes: bytes } = costOf(network).exit;
    const asked = (routed: Network, walks: readonly Walk[]): readonly number[] => {
      const cost = costModel(routed, { kv: 'absent', revisit: 'overwrite', blocks: network.blocks }, 64);
      const [without, with_] = [false, true].map((decided) => predictedOf(cost, [walks], decided));
      assert(without !== undefined && with_ !== undefined);
      const counts = [(with_.flops - without.flops) / flops, (with_.bytes - without.bytes) / bytes];
      return counts.map((count) => Number((walks.length * count).toFixed(6)));
    };
    const gated = {
      ...network,
      blocks: network.blocks.map((block, i) => (i < 3 ? { ...block, gate: exit } : block)),
    };
    assert.deepEqual(asked(gated, [all, [3]]), [6, 6]);
    const hub = { ...network, hub: exit, routing: { ...network.routing, maxHops: 4 } };
    assert.deepEqual(asked(hub, [all, [3], []]), [4 + 2 + 1, 4 + 2 + 1]);
    assert.deepEqual(asked({ ...hub, routing: { ...hub.routing, anchors: 2 } }, [all, [3], []]), [1, 1]);
  });
});

describe('numbers of a study', () => {
  it('a line', () => {
    const exact = fitLine([
      [0, 1],
      [1, 3],
      [2, 5],
    ]);
    assert.deepEqual(exact, { intercept: 1, slope: 2, r2: 1, meanError: 0, worstError: 0 });
    const level = fitLine([
      [1, 2],
      [1, 4],
    ]);
    assert.deepEqual([level.slope, level.intercept, level.worstError], [0, 3, 0.5]);
  });

  it('medians by position, and thresholds', () => {
    const rows = [1, 2, 3, 4].map((ratio) => Float32Array.of(ratio, NaN));
    assert.deepEqual(binsOf(4, 2), [0, 2]);
    assert.deepEqual(ratioTable([rows], 2, [0, 2]), {
      blocks: [{ p25: 1, median: 2, p75: 3 }, null],
      bins: [
        [1, 3],
        [null, null],
      ],
    });
    assert.equal(quartiles([]), null);
    assert.deepEqual(thresholdsAt([rows], [0, 0.5, 0.5, 1]), [1, 2, 4]);
  });

  it('depths of baselines: those of the first routes, others where they are apart', () => {
    assert.deepEqual(depthsFor([14.3, 14.25, 14.4, 12, 18.7, 30], 24), [12, 14.3, 18.7, 24]);
    assert.deepEqual(depthsFor([14.3, 14.25], 24), [12, 14.3, 18]);
    assert.deepEqual(depthsFor([12.1], 24), [12.1, 18]);
  });

  it('traffic', () => {
    const { edges, blocks: found } = trafficOf([[0, 1], [1, 1], []], [0, 1]);
    assert.deepEqual(edges, [
      { from: 'entry', to: 0, tokens: 1 },
      { from: 'entry', to: 1, tokens: 1 },
      { from: 'entry', to: 'exit', tokens: 1 },
      { from: 0, to: 1, tokens: 1 },
      { from: 1, to: 1, tokens: 1 },
      { from: 1, to: 'exit', tokens: 2 },
    ]);
    assert.deepEqual(found, [
      { id: 0, tokens: 1, visits: 1 },
      { id: 1, tokens: 2, visits: 3 },
    ]);
  });

  it('texts of tokens, with parts of characters', async () => {
    const bytes = [0x61, 0xc3, 0xa9, 0xf0, 0x9f, 0x98, 0x80, 0x20, 0x62];
    const decode = async (ids: readonly number[]): Promise<string> => Buffer.from(ids).toString('utf8');
    assert.deepEqual(await piecesOf(bytes, decode), ['a', '', 'é', '', '', '', '😀', ' ', 'b']);
  });
});
