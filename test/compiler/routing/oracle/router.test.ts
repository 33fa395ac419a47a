/** @file How often a router decides as an oracle: counts by hand, and by the command. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { countDecisions, createDecisions, routerAgreement } from '../../../../compiler/routing/oracle/router.ts';
import type { OracleSummary } from '../../../../compiler/routing/index.ts';
import { gates, writeRouters } from '../../../support/routers.ts';
import { checkpoint, fails, ok, okJson, optConfig, scratch } from '../../cli/support.ts';

describe('a router beside an oracle', () => {
  const at = scratch();
  before(async () => {
    await checkpoint(at('model'));
    await checkpoint(at('gated'));
    writeRouters(at('gated'), { ...gates, blocks: 4, gatedBlocks: [0, 1, 2, 3], maxHops: 4 }, optConfig.hidden_size);
    writeFileSync(at('text.txt'), 'the cat sat on the mat. '.repeat(12));
  });

  it('is counted by token and block; shares of nothing are one', () => {
    const decisions = createDecisions();
    countDecisions(decisions, [0, 1, 2], [[0, 1], []], [[1, 2], [0]]);
    assert.deepEqual(decisions, { both: 1, onlyRouter: 1, onlyOracle: 2, neither: 2 });
    assert.deepEqual(routerAgreement(decisions, 3), { precision: 1 / 2, recall: 1 / 3, same: 1 / 2, depth: 1 });
    assert.deepEqual(routerAgreement(createDecisions(), 3), { precision: 1, recall: 1, same: 1, depth: 3 });
  });

  it('agrees with the dense run where all gates are open, and otherwise as its depth says', async () => {
    const run = async (threshold: number, oracle: string): Promise<OracleSummary['thresholds'][number]['router']> => {
      const routers = { ...gates, blocks: 4, gatedBlocks: [0, 1, 2, 3], maxHops: 4, threshold };
      writeRouters(at('gated'), routers, optConfig.hidden_size);
      const args = ['oracle', at('model'), '--text', at('text.txt'), '--router', at('gated'), '--no-baselines'];
      const found = await okJson<OracleSummary>(...args, '--threshold', oracle, '-o', at('oracle.json'));
      return found.thresholds[0]?.router;
    };
    assert.deepEqual(await run(0, '0'), { precision: 1, recall: 1, same: 1, depth: 4 });
    assert.deepEqual(await run(0, '1e9'), { precision: 0, recall: 1, same: 0, depth: 4 });
    const some = await run(0.5, '0');
    assert.ok(some !== undefined);
    assert.ok(some.precision === 1 && some.depth < 4);
    assert.ok(Math.abs(some.recall - some.depth / 4) < 1e-9 && some.recall === some.same);
    const args = ['oracle', at('model'), '--text', at('text.txt'), '--no-baselines', '-o', at('oracle.json')];
    assert.match(await ok(...args, '--router', at('gated')), /router depth {2}precision {2}recall/);
    await fails('RC1229', ...args, '--router', at('model'));
  });
});
