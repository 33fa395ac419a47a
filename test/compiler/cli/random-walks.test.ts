/** @file Random walks: valid in any graph, forward where they should be, and of a bearable length. */
import assert from 'node:assert/strict';
import { walkDrawer } from '../../../compiler/cli/random-walks.ts';
import { createRandom } from '../../../ir/index.ts';
import type { EdgeInfo, RoutingInfo } from '../../../runtime/artifact/index.ts';
import { createRoutes } from '../../../runtime/index.ts';
import type { Walk } from '../../../runtime/index.ts';

type Successors = EdgeInfo['successors'];

const edge = (successors: Successors): EdgeInfo => ({
  successors,
  router: successors.length > 1 ? 'external' : null,
});

function routing(entry: Successors, blocks: Readonly<Record<number, Successors>>, maxHops: number): RoutingInfo {
  return {
    kv: 'absent',
    revisit: 'append',
    maxHops,
    needsWalk: true,
    decides: null,
    threshold: 0.5,
    anchors: 0,
    entry: edge(entry),
    blocks: Object.entries(blocks).map(([id, next]) => ({ id: Number(id), role: 'mlp', gated: false, ...edge(next) })),
  };
}

/** Walks that the routes of the program let pass. */
function drawn(info: RoutingInfo, forward: boolean): readonly Walk[] {
  const draw = walkDrawer(info, createRandom(7));
  const walks = Array.from({ length: 200 }, () => draw({ forward }));
  const route = createRoutes(info).router({ walk: walks });
  walks.forEach((walk, position) => {
    assert.deepEqual(route(position, 0), walk);
  });
  return walks;
}

const revisits = (walk: Walk): boolean => new Set(walk).size < walk.length;
const isForward = (walk: Walk): boolean => walk.every((id, hop) => hop === 0 || id > (walk[hop - 1] ?? 0));

describe('random walks', () => {
  const all: Successors = [0, 3, 4, 'exit'];
  const full = routing(all, { 0: all, 3: all, 4: all }, 100);

  it('visit blocks again, or not at all', () => {
    const walks = drawn(full, false);
    assert.ok(walks.some(revisits));
    assert.ok(walks.some((walk) => walk.length === 0));
    assert.ok(walks.some((walk) => walk.length > 3));
  });

  it('lead forward', () => {
    const walks = drawn(full, true);
    assert.ok(walks.every(isForward));
    assert.ok(walks.some((walk) => walk.join() === '0,3,4'));
  });

  it('go back where there is no other way', () => {
    const back = routing([3, 3], { 0: ['exit'], 3: [0] }, 9);
    for (const forward of [true, false]) {
      assert.deepEqual([...new Set(drawn(back, forward).map(String))], ['3,0']);
    }
  });

  it('end at the hop cap where there is no exit, and else soon', () => {
    const endless = routing([0], { 0: [0, 3], 3: [0, 3] }, 50);
    assert.ok(drawn(endless, false).every((walk) => walk.length === 50));
    const narrow: Successors = [0, 0, 0, 0, 0, 0, 0, 0, 0, 'exit'];
    assert.ok(drawn(routing([0], { 0: narrow }, 60_000), false).every((walk) => walk.length <= 2));
  });
});
