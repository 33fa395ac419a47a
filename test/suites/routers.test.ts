/**
 * @file Models whose routers decide: as the interpreter does, the same in prefill and decode, under every KV policy; knobs,
 * overrides, replays.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { openInput } from '../../compiler/input.ts';
import { initCheckpoint } from '../../compiler/frontend/index.ts';
import type { RadialConfig } from '../../compiler/frontend/routers/radial-config.ts';
import { createInterpreter } from '../../ir/index.ts';
import type { KvPolicy, RunOptions, RunResult } from '../../ir/index.ts';
import type { RadialModel } from '../../runtime/index.ts';
import { hasCode } from '../runtime/toy.ts';
import { compiled, largestDifference } from '../support/compiled.ts';
import { checkpointFor, gates, hub, smallOpt, smallText as ids, writeRouters } from '../support/routers.ts';

const policies: readonly KvPolicy[] = ['absent', 'project', 'latest'];
const weighting = 'probability';

describe('learned routers', () => {
  const dir = checkpointFor(smallOpt);

  const modelOf = async (routers: RadialConfig, request = {}): Promise<RadialModel> => {
    writeRouters(dir, routers, smallOpt.hidden_size);
    return (await compiled({ input: dir, ...request })).model;
  };
  const interpreted = (options: RunOptions = {}): RunResult => {
    const { module, source, close } = openInput(dir);
    assert(module.stage === 'network');
    try {
      return createInterpreter(module, source).runTokens(ids, options);
    } finally {
      close();
    }
  };

  for (const kv of policies) {
    for (const [name, routers] of Object.entries({
      'linear gates': { ...gates, kv },
      'gates with an inner layer': { ...gates, hidden: 5, kv, anchors: 2, gatedBlocks: [0, 2, 3, 5] },
      'a hub with reuse': { ...hub, kv },
      'a linear hub': { ...hub, hidden: 0, hopEmbedding: false, kv, revisit: 'overwrite', anchors: 1 } as const,
      'gates that weigh': { ...gates, kv, anchors: 2, weighting } as const,
      'gates with an inner layer that weigh': {
        ...gates,
        hidden: 5,
        kv,
        gatedBlocks: [0, 2, 3, 5],
        weighting,
      } as const,
      'a hub that weighs': { ...hub, kv, anchors: 1, weighting } as const,
    })) {
      it(`${name} under ${kv}: decide as interpreted; prefill and decode are alike`, async () => {
        const model = await modelOf(routers);
        const expected = interpreted();
        const [prefill, decode] = [await model.forward(ids), await model.forward(ids, { mode: 'decode' })];
        assert.deepEqual(prefill.path, expected.paths);
        assert.ok(new Set(prefill.path.map((walk) => walk.join())).size > 2, 'all tokens go the same way');
        assert.ok(largestDifference(prefill.logits, expected.logits) < 3e-4);
        assert.deepEqual(decode.path, prefill.path);
        assert.deepEqual(decode.logits, prefill.logits);
        assert.ok(prefill.depth.every((depth) => depth <= routers.maxHops));
      });
    }
  }

  it('linear gates are scored by the block before them, and at O1 by themselves, to the same ends', async () => {
    writeRouters(dir, gates, smallOpt.hidden_size);
    const [fused, plain] = [await compiled({ input: dir }), await compiled({ input: dir, optLevel: 'O1' })];
    assert.deepEqual(
      fused.program.blocks.map(({ scores }) => scores),
      [1, 2, 3, 4, 5, undefined],
    );
    assert.ok(plain.program.blocks.every(({ scores }) => scores === undefined));
    assert.deepEqual((await fused.model.forward(ids)).path, (await plain.model.forward(ids)).path);
  });

  it('a threshold is set while the program runs, for one call', async () => {
    const model = await modelOf(gates);
    const before = await model.forward(ids);
    let last = 7;
    for (const threshold of [0, 0.2, 0.5, 0.8, 1]) {
      const found = await model.forward(ids, { threshold });
      assert.deepEqual(found.path, interpreted({ threshold }).paths, `threshold ${threshold}`);
      const mean = found.depth.reduce((sum, depth) => sum + depth, 0) / ids.length;
      assert.ok(mean <= last);
      last = mean;
    }
    const [all, none] = [await model.forward(ids, { threshold: 0 }), await model.forward(ids, { threshold: 1 })];
    assert.ok(
      all.path.every((walk) => walk.join() === '0,1,2,3,4,5') && none.path.every((walk) => walk.join() === '0'),
    );
    assert.deepEqual((await model.forward(ids)).logits, before.logits);
    await assert.rejects(model.forward(ids, { threshold: 1.5 }), hasCode('RC0902'));
  });

  it('tokens before the anchors skip nothing, and so do blocks without a gate', async () => {
    const model = await modelOf({ ...gates, gatedBlocks: [1, 3, 4], anchors: 3, threshold: 1 });
    const { path } = await model.forward(ids);
    path.forEach((walk, position) => {
      assert.equal(walk.join(), position < 3 ? '0,1,2,3,4,5' : '0,2,5');
    });
  });

  it('another KV policy keeps the knobs; a hub knows no more hops than it was trained for (RC0606)', async () => {
    const model = await modelOf({ ...gates, threshold: 0.7, anchors: 2 }, { kv: 'absent' });
    const { kv, threshold, anchors } = model.info.routing;
    assert.deepEqual([kv, threshold, anchors], ['absent', 0.7, 2]);
    writeRouters(dir, hub, smallOpt.hidden_size);
    await assert.rejects(compiled({ input: dir, maxHops: 10 }), hasCode('RC0606', /knows 9 hops/));
    assert.equal((await compiled({ input: dir, maxHops: 5 })).model.info.routing.maxHops, 5);
  });

  it('a hop cap ends walks, and no walk is longer', async () => {
    const model = await modelOf({ ...gates, maxHops: 3 });
    const found = await model.forward(ids);
    assert.deepEqual(found.path, interpreted().paths);
    assert.ok(found.depth.every((depth) => depth <= 3) && found.depth.includes(3));
  });

  it('what routers decided can be replayed, and overridden', async () => {
    const weighing = { ...gates, weighting, anchors: 2 } as const;
    for (const routers of [gates, hub, weighing, { ...weighing, hidden: 5 }, { ...hub, weighting } as const]) {
      const model = await modelOf(routers);
      const found = await model.forward(ids);
      for (const mode of ['prefill', 'decode'] as const) {
        const replayed = await model.forward(ids, { mode, route: { walk: found.path } });
        assert.deepEqual([replayed.path, replayed.logits], [found.path, found.logits], mode);
      }
      // Some tokens are led, the others decide.
      const mixed = await model.forward(ids, { route: (position) => (position % 3 === 0 ? [0, 1, 4] : undefined) });
      const walks = ids.map((_, position) => (position % 3 === 0 ? [0, 1, 4] : undefined));
      const expected = interpreted({ walks });
      assert.deepEqual(mixed.path, expected.paths);
      assert.ok(largestDifference(mixed.logits, expected.logits) < 3e-4);
    }
  });

  it('a gate weighs what its block adds, whatever the threshold; a block without a gate adds all of its branch', async () => {
    const own = { ...gates, gatedBlocks: [1, 4], weighting } as const;
    const model = await modelOf(own);
    assert.equal(model.info.routing.weighting, weighting);
    const open = await model.forward(ids, { threshold: 0 });
    assert.ok(largestDifference(open.logits, interpreted({ threshold: 0 }).logits) < 3e-4);
    // Closed gates say nothing: what is left has no gate.
    const closed = await model.forward(ids, { threshold: 1 });
    const plain = await modelOf({ ...own, weighting: 'none' });
    assert.deepEqual(closed.logits, (await plain.forward(ids, { threshold: 1 })).logits);
    assert.equal(plain.info.routing.weighting, undefined);
    assert.ok(largestDifference(open.logits, (await plain.forward(ids, { threshold: 0 })).logits) > 0.01);
  });

  it('the identity walk gives the logits of the sequential program bit for bit', async () => {
    for (const kv of policies) {
      const model = await modelOf({ ...gates, kv });
      const sequential = await modelOf({ ...gates, kv }, { route: 'sequential' });
      assert.equal(sequential.info.routing.decides, null);
      const open = await model.forward(ids, { threshold: 0 });
      assert.deepEqual(open.logits, (await sequential.forward(ids)).logits);
    }
  });

  it('generation goes the way of a forward pass; a second request sees nothing of the first', async () => {
    for (const routers of [gates, hub]) {
      const model = await modelOf(routers);
      const generate = async (): Promise<{ ids: number[]; paths: (readonly number[])[] }> => {
        const found = { ids: [...ids.slice(0, 6)], paths: [] as (readonly number[])[] };
        for await (const { id, path } of model.generate(ids.slice(0, 6), { maxNewTokens: 10, ignoreEos: true })) {
          found.ids.push(id);
          found.paths.push(path);
        }
        return found;
      };
      const first = await generate();
      await model.forward(ids.toReversed());
      assert.deepEqual(await generate(), first);
      const { path } = await model.forward(first.ids.slice(0, -1));
      assert.deepEqual(path.slice(5), first.paths);
    }
  });

  it('a threshold needs gates (RC0926), --route learned needs routers (RC0274)', async () => {
    const model = await modelOf(gates, { route: 'external' });
    await assert.rejects(model.forward(ids, { threshold: 0.5 }), hasCode('RC0926'));
    const plain = join(dir, '../plain');
    await initCheckpoint({ config: smallOpt, seed: 5, outDir: plain });
    await assert.rejects(compiled({ input: plain, route: 'learned' }), hasCode('RC0274'));
    assert.equal((await modelOf(gates, { route: 'learned' })).info.routing.decides, 'sweep');
    assert.equal((await modelOf(hub)).info.routing.decides, 'hop');
  });
});
