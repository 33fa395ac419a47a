/** @file Routes: masks, walks and functions, checked against the graph. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { WALK_END } from '../../ir/index.ts';
import { WALK_END as RUNTIME_WALK_END } from '../../runtime/artifact/manifest.ts';
import type { BlockInfo, RoutingInfo } from '../../runtime/artifact/manifest.ts';
import { createRoutes, isForward } from '../../runtime/routes.ts';
import type { Route } from '../../runtime/routes.ts';
import { hasCode } from './toy.ts';

const routed = (successors: (id: number) => BlockInfo['successors'], maxHops = 6, ids = [0, 1, 2, 3]): RoutingInfo => ({
  kv: 'absent',
  revisit: 'overwrite',
  maxHops,
  needsWalk: true,
  decides: null,
  threshold: 0.5,
  anchors: 0,
  entry: { successors: successors(-1), router: 'external' },
  blocks: ids.map((id) => ({
    id,
    role: id % 2 === 0 ? 'attention' : 'mlp',
    gated: false,
    successors: successors(id),
    router: 'external',
  })),
});

const all = ['exit', 0, 1, 2, 3] as const;
const hub = routed((id) => [id === 3 ? 'exit' : id + 1, ...all]);
const forward = routed((id) => [...[0, 1, 2, 3].filter((other) => other > id), 'exit']);

describe('routes', () => {
  it('knows the end of a walk as the compiler does', () => {
    assert.equal(RUNTIME_WALK_END, WALK_END);
  });

  it('takes first successors by default, up to the hop cap', () => {
    assert.deepEqual(createRoutes(forward).defaultWalk, [0, 1, 2, 3]);
    assert.deepEqual(createRoutes({ ...forward, maxHops: 2 }).defaultWalk, [0, 1]);
    assert.deepEqual(createRoutes(routed((id) => (id === 1 ? [1] : [1, 'exit']), 3)).defaultWalk, [1, 1, 1]);
    assert.deepEqual(createRoutes(routed(() => ['exit'])).defaultWalk, []);
    assert.deepEqual(
      createRoutes(routed((id) => [[2, 5, 9].find((other) => other > id) ?? 'exit'], 9, [2, 5, 9])).defaultWalk,
      [2, 5, 9],
    );
  });

  it('turns masks into walks', () => {
    const walk = createRoutes(forward).router({
      mask: [
        [1, 0, true],
        [1, 0, false],
        [0, 0, 1],
        [1, 0, 1],
      ],
    });
    assert.deepEqual(
      [0, 1, 2, 3].map((position) => walk(position, 7)),
      [[0, 1, 3], [], [0, 2, 3], [0, 1, 2, 3]],
    );
  });

  it('masks of all tokens and blocks lead forward', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), { maxLength: 9 }), (columns) => {
        const mask = [0, 1, 2, 3].map((id) => columns.map((column) => column[id] ?? false));
        const walk = createRoutes(forward).router({ mask });
        columns.forEach((column, position) => {
          assert.deepEqual(
            walk(position, 0),
            [0, 1, 2, 3].filter((id) => column[id]),
          );
          assert.ok(isForward(walk(position, 0) ?? [1, 0]));
        });
      }),
    );
  });

  it('cuts walks at the hop cap', () => {
    const walk = createRoutes({ ...hub, maxHops: 3 }).router({
      walk: [
        [3, 3, 0, 1, 99],
        [0, 1, 2],
      ],
    });
    assert.deepEqual(walk(0, 0), [3, 3, 0]);
    assert.deepEqual(walk(1, 0), [0, 1, 2]);
    assert.deepEqual(walk(2, 0), [0, 1, 2]);
  });

  it('knows which walks lead forward', () => {
    assert.ok(isForward([]));
    assert.ok(isForward([0, 2, 3]));
    assert.ok(!isForward([0, 0]));
    assert.ok(!isForward([1, 0]));
  });

  it('refuses routes that are not in the graph', () => {
    const refuses = (routing: RoutingInfo, route: unknown, code: string, message?: RegExp): void => {
      assert.throws(() => createRoutes(routing).router(route as Route)(0, 0), hasCode(code, message));
    };
    const fixed = {
      ...forward,
      entry: { ...forward.entry, router: null },
      blocks: forward.blocks.map((block) => ({ ...block, router: null })),
    };
    refuses(fixed, { walk: [[0]] }, 'RC0920', /--route external/);
    for (const route of [{}, { mask: [[1]], walk: [[0]] }, { walk: [], x: 1 }, [], 'x', 3, null, { walk: 3 }]) {
      refuses(hub, route, 'RC0921');
    }
    refuses(hub, { mask: [[1], [1]] }, 'RC0922', /2 rows, the program has blocks up to 3/);
    refuses(hub, { mask: [[1], [1, 1], [1], [1]] }, 'RC0922', /row 1/);
    refuses(hub, { mask: [[1], [2], [1], [1]] }, 'RC0922', /mask\[1\]\[0\] is 2/);
    refuses(hub, { mask: [[1], 'x', [1], [1]] }, 'RC0922');
    refuses(hub, { mask: [new Array(1), [1], [1], [1]] }, 'RC0922', /mask\[0\]\[0\] is undefined/);
    refuses(hub, { walk: new Array(1) }, 'RC0923');
    refuses(hub, { mask: 5 }, 'RC0922');
    refuses(hub, { mask: [[1], [1], [1], [1], [1]] }, 'RC0924', /no block 4/);
    refuses(hub, { walk: [3] }, 'RC0923');
    refuses(hub, () => 'x', 'RC0923');
    for (const id of [4, -1, 0.5, '0', null, NaN, [0]]) refuses(hub, { walk: [[0, id]] }, 'RC0924', /hop 1 of token 0/);
    refuses(forward, { walk: [[2, 1]] }, 'RC0925', /from block 2 to block 1/);
    refuses(forward, { walk: [[1, 1]] }, 'RC0925', /successors of block 1: 2, 3, exit/);
    refuses(
      routed((id) => [id === 3 ? 'exit' : id + 1]),
      { walk: [[0, 1]] },
      'RC0925',
      /from block 1 to the exit/,
    );
    refuses(
      routed((id) => [id === 3 ? 'exit' : id + 1]),
      { walk: [[]] },
      'RC0925',
      /the entry to the exit/,
    );
  });

  it('ignores rows of pruned blocks that no token executes', () => {
    const pruned = routed((id) => [...[0, 3].filter((other) => other > id), 'exit'], 6, [0, 3]);
    const walk = createRoutes(pruned).router({
      mask: [
        [1, 0],
        [0, 0],
        [0, 0],
        [1, 1],
        [0, 0],
      ],
    });
    assert.deepEqual([walk(0, 0), walk(1, 0)], [[0, 3], [3]]);
  });
});
