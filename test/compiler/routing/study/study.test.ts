/** @file What a study collects: against the evaluation of the same programs, and consistent in itself. */
import assert from 'node:assert/strict';
import { cpSync, writeFileSync } from 'node:fs';
import { studyModel } from '../../../../compiler/routing/index.ts';
import type { Evaluation, Study, StudyRequest } from '../../../../compiler/routing/index.ts';
import { checkpoint, okJson, optConfig, scratch } from '../../cli/support.ts';
import { gates, hub, writeRouters } from '../../../support/routers.ts';

const text = 'the cat sat on the other mat. then the thin moth went there. ';
const WINDOW = 20;

describe('a study', () => {
  const at = scratch();
  before(async () => {
    await checkpoint(at('dense'));
    for (const name of ['gate', 'hub']) cpSync(at('dense'), at(name), { recursive: true });
    writeRouters(at('gate'), { ...gates, blocks: 4, gatedBlocks: [1, 2, 3], maxHops: 4 }, optConfig.hidden_size);
    writeRouters(at('hub'), { ...hub, blocks: 4, maxHops: 7 }, optConfig.hidden_size);
    writeFileSync(at('text.txt'), text);
  });
  const studyOf = (name: string, more: Partial<StudyRequest> = {}): Promise<Study> =>
    studyModel({
      ...{ model: at(name), paths: [at('text.txt')], window: WINDOW, maxTokens: null, seed: 0, timing: false },
      ...{ signal: new AbortController().signal, onProgress: () => undefined, onWarning: () => undefined },
      ...more,
    });
  const evaluation = (name: string, ...more: readonly string[]): Promise<Evaluation> =>
    okJson<Evaluation>('eval', at(name), '--text', at('text.txt'), '--window', String(WINDOW), ...more);
  const near = (a: number | undefined, b: number | undefined): void => {
    assert.ok(Math.abs((a ?? NaN) - (b ?? NaN)) < 1e-6, `${a} and ${b}`);
  };

  for (const name of ['gate', 'hub', 'dense'] as const) {
    describe(name === 'dense' ? 'without routers' : `with a ${name}`, () => {
      let study: Study;
      before(async () => {
        study = await studyOf(name);
      });

      it('measures as `radialc eval` does', async () => {
        const dense = await evaluation(name, '--route', 'sequential');
        near(study.routes[0]?.perplexity, dense.model.perplexity);
        assert.deepEqual([study.routes[0]?.kl, study.routes[0]?.top1], [0, 1]);
        assert.deepEqual(
          [study.text.tokens, study.text.windows, study.text.bytes],
          [dense.tokens, dense.windows, dense.bytes],
        );
        if (name === 'dense') return;
        const learned = await evaluation(name, '--against', at('dense'));
        const found = study.routes[study.studied];
        assert.deepEqual(found?.depth, learned.model.depth);
        near(found.perplexity, learned.model.perplexity);
        near(found.kl, learned.agreement?.kl);
      });

      it('studies its own router, and compares it with all that it can be compared with', () => {
        const series = new Set(study.routes.map((route) => route.series));
        const expected = {
          gate: ['dense', 'learned', 'oracle-on', 'oracle-off', 'random', 'static', 'exit'],
          hub: ['dense', 'learned', 'oracle-on', 'oracle-off', 'random', 'static', 'exit'],
          dense: ['dense', 'oracle-on', 'oracle-off', 'random', 'static', 'exit'],
        }[name];
        assert.deepEqual([...series], expected);
        assert.equal(study.routes[study.studied]?.series, name === 'dense' ? 'oracle-on' : 'learned');
      });

      it('has baselines at the mean depth that they are asked for', () => {
        for (const { series, setting, depth } of study.routes) {
          if (series !== 'static' && series !== 'exit') continue;
          assert.ok(Math.abs(depth.mean - (setting ?? NaN)) <= 0.5 / study.text.tokens + 1e-9, `${series} ${setting}`);
        }
      });

      if (name !== 'dense') {
        it('has oracles at the depth of the router', () => {
          const wanted = Math.min(study.model.blocks.length, study.routes[study.studied]?.depth.mean ?? NaN);
          for (const series of ['oracle-on', 'oracle-off']) {
            const depths = study.routes.filter((route) => route.series === series).map(({ depth }) => depth.mean);
            assert.ok(
              depths.some((depth) => Math.abs(depth - wanted) <= 0.25),
              `${series}: ${depths.join()}, not ${wanted}`,
            );
            const { routes } = study;
            const settings = routes.filter((route) => route.series === series).map(({ setting }) => setting ?? NaN);
            assert.deepEqual(
              settings,
              settings.toSorted((a, b) => a - b),
            );
          }
        });
      }

      it('loses no token on the way: what comes to a block leaves it', () => {
        const { traffic, routes, studied } = study;
        const sum = (is: (edge: Study['traffic']['edges'][number]) => boolean): number =>
          traffic.edges.filter(is).reduce((total, { tokens }) => total + tokens, 0);
        assert.equal(traffic.tokens, study.text.tokens);
        assert.equal(
          sum(({ from }) => from === 'entry'),
          traffic.tokens,
        );
        assert.equal(
          sum(({ to }) => to === 'exit'),
          traffic.tokens,
        );
        for (const { id, visits, tokens } of traffic.blocks) {
          assert.equal(
            sum(({ to }) => to === id),
            visits,
          );
          assert.equal(
            sum(({ from }) => from === id),
            visits,
          );
          assert.ok(tokens <= visits);
        }
        const visits = traffic.blocks.reduce((total, block) => total + block.visits, 0);
        near(visits / traffic.tokens, routes[studied]?.depth.mean);
      });

      it('has ratios where blocks were executed, and nowhere else', () => {
        for (const { path, routed, dense } of study.passage) {
          assert.deepEqual(
            routed.map((ratio) => ratio !== null),
            study.model.blocks.map(({ id }) => path.includes(id)),
          );
          assert.ok(dense.every((ratio) => ratio !== null && ratio > 0));
        }
        assert.equal(study.ratios.dense.bins[0]?.length, study.ratios.bins.length);
      });

      it('expects no more KV than the program reserves', () => {
        const { kv } = study;
        assert.ok(kv !== null && kv.expected <= kv.worst && kv.expected > 0);
        near(kv.policies[kv.policy], kv.expected);
        near(kv.expected, kv.entryBytes * (study.routes[study.studied]?.kvEntries ?? NaN));
      });

      it('tells what each level makes of it', () => {
        assert.deepEqual(
          study.levels.map(({ level, blocks }) => [level, blocks]),
          [
            ['O0', 4],
            ['O1', 4],
            ['O2', 4],
          ],
        );
        const [first, , last] = study.levels;
        assert.ok((first?.kernelsPerToken ?? 0) > (last?.kernelsPerToken ?? Infinity));
        for (const { passes } of study.levels) {
          const kv = passes.at(-1)?.kv;
          assert.deepEqual([kv?.static, kv?.worst], [study.kv?.static, study.kv?.worst]);
          assert.ok(passes.every((pass) => pass.kv?.static === kv?.static));
        }
      });
    });
  }

  it('takes thresholds of gates and of the oracle', async () => {
    const { routes } = await studyOf('gate', { thresholds: [0.9, 0.1], ratios: [0.3] });
    const settings = (series: string): unknown =>
      routes.filter((route) => route.series === series).map(({ setting }) => setting);
    assert.deepEqual(settings('learned'), [0.1, 0.5, 0.9]);
    assert.deepEqual(settings('oracle-on'), [0.3]);
  });

  it('searches an oracle at the depth of the router', async () => {
    cpSync(at('dense'), at('sure'), { recursive: true });
    const sure = { ...gates, blocks: 4, gatedBlocks: [0, 1, 2, 3], maxHops: 4, threshold: 0.93 };
    writeRouters(at('sure'), sure, optConfig.hidden_size);
    const { routes, studied } = await studyOf('sure');
    const wanted = routes[studied]?.depth.mean ?? NaN;
    assert.ok(wanted < 1.5, String(wanted));
    for (const series of ['oracle-on', 'oracle-off']) {
      const found = routes.filter((route) => route.series === series);
      assert.equal(found.length, 5);
      assert.ok(Math.abs((found.at(-1)?.depth.mean ?? NaN) - wanted) <= 0.25, series);
    }
  });

  it('compares with another model', async () => {
    await checkpoint(at('teacher'), { seed: 3 });
    const { routes, against } = await studyOf('gate', { against: at('teacher') });
    const learned = await evaluation('gate', '--against', at('teacher'));
    assert.equal(against, at('teacher'));
    near(routes[0]?.perplexity, learned.against?.perplexity);
    near(routes.find(({ series, setting }) => series === 'learned' && setting === 0.5)?.kl, learned.agreement?.kl);
  });

  it('times every route beside the dense model', async () => {
    let last = 0;
    const { timing, routes } = await studyOf('hub', {
      timing: true,
      onProgress: (share) => {
        assert.ok(share >= last && share <= 1);
        last = share;
      },
    });
    assert.equal(last, 1);
    const timed = timing?.points.flatMap(({ route }) => (route === null ? [] : [route]));
    assert.deepEqual(timed, routes.map((_, i) => i).slice(1));
    for (const { ratio, milliseconds } of timing?.points ?? []) {
      assert.ok(ratio.p25 > 0 && ratio.p25 <= ratio.median && ratio.median <= ratio.p75 && milliseconds > 0);
    }
  });
});
