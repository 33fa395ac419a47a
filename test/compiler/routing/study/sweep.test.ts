/** @file `radialc sweep`: each run is an evaluation; it goes on where it was interrupted; what it refuses. */
import assert from 'node:assert/strict';
import { cpSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Evaluation, Sweep } from '../../../../compiler/routing/index.ts';
import {
  checkpoint,
  filesOf,
  ok,
  okJson,
  optConfig,
  radialc,
  readJson,
  scratch,
  writeJson,
} from '../../cli/support.ts';
import { gates, hub, writeRouters } from '../../../support/routers.ts';
import { refusing } from '../support.ts';

const text = 'the cat sat on the other mat. then the thin moth went there. '.repeat(2);

describe('radialc sweep', () => {
  const at = scratch();
  const refused = refusing(at);
  before(async () => {
    await checkpoint(at('plain'));
    for (const name of ['gates', 'hub']) cpSync(at('plain'), at(name), { recursive: true });
    writeRouters(at('gates'), { ...gates, blocks: 4, gatedBlocks: [1, 2, 3], maxHops: 4 }, optConfig.hidden_size);
    writeRouters(at('hub'), { ...hub, blocks: 4, maxHops: 6 }, optConfig.hidden_size);
    writeFileSync(at('text.txt'), text);
  });
  const common = (name: string): readonly string[] => ['sweep', at(name), '--text', at('text.txt'), '--window', '20'];
  const grid = ['--thresholds', '0.5,0.2,0.8', '--kv', 'absent,project'];
  const args = (...rest: readonly string[]): readonly string[] => [...common('gates'), ...grid, ...rest];
  const untimed = (path: string): unknown => {
    const { runs, ...rest } = readJson(path) as Sweep;
    return { ...rest, runs: runs.map(({ timing: _, ...run }) => run) };
  };

  it('evaluates every place of the grid', async () => {
    const sweep = await okJson<Sweep>(...args('-o', at('sweep.json')));
    assert.deepEqual(readJson(at('sweep.json')), sweep);
    assert.deepEqual(
      sweep.runs.map(({ kv, threshold }) => [kv, threshold]),
      ['absent', 'project'].flatMap((kv) => [0.5, 0.2, 0.8].map((threshold) => [kv, threshold])),
    );
    const evaluation = await okJson<Evaluation>(
      ...['eval', at('gates'), '--text', at('text.txt'), '--window', '20', '--kv', 'absent', '--against', at('plain')],
    );
    const [first, second, third] = sweep.runs;
    assert.deepEqual([first?.model, first?.agreement], [evaluation.model, evaluation.agreement]);
    assert.ok((second?.model.depth.mean ?? 0) > (third?.model.depth.mean ?? 9));
    assert.match(await ok(...common('hub'), '-o', at('hub.json')), /^absent +\d/m);
  });

  it('goes on where it was interrupted', async () => {
    const controller = new AbortController();
    const { code, stderr } = await radialc(args('-o', at('cut.json')), {
      signal: controller.signal,
      progress: {
        update: (done) => {
          if (done > 6000) controller.abort();
        },
        stop: () => undefined,
      },
    });
    assert.equal(code, 130);
    assert.match(stderr, /what is done is in .*cut\.json\.partial; the same command with --resume goes on/);
    const partial = readJson(at('cut.json.partial')) as Sweep;
    assert.deepEqual([partial.complete, partial.runs.length], [false, 3]);
    await refused('RC1264', args('-o', at('cut.json')), /unfinished sweep[^]*cut\.json\.partial/);
    await refused('RC1266', args('-o', at('cut.json'), '--resume', '--mode', 'decode'), /other mode/);
    await ok(...args('-o', at('cut.json'), '--resume'));
    assert.deepEqual(untimed(at('cut.json')), untimed(at('sweep.json')));
    const resumed = readJson(at('cut.json')) as Sweep;
    assert.deepEqual(resumed.runs.slice(0, 3), partial.runs);
    assert.ok(!filesOf(at()).includes('cut.json.partial'));
  });

  describe('with budgets', () => {
    const budgets = ['--budget', '0.5,1,0.75,0.01', '--kv', 'project,absent'];
    const budgeted = (...rest: readonly string[]): readonly string[] => [...common('gates'), ...budgets, ...rest];

    it('finds their thresholds, each under each policy, and evaluates there', async () => {
      const { runs } = await okJson<Sweep>(...budgeted('-o', at('budgets.json')));
      assert.deepEqual(
        runs.map(({ kv, budget }) => [kv, budget]),
        ['project', 'absent'].flatMap((kv) => [0.5, 1, 0.75, 0.01].map((budget) => [kv, budget])),
      );
      for (const { budget, threshold, model, tokens } of runs) {
        // The first block has no gate. A token more or less in 140 is what a threshold can move.
        const wanted = Math.max(1, 4 * (budget ?? NaN));
        assert.ok(Math.abs(model.depth.mean - wanted) <= 0.02 + 1 / tokens, `${budget}: ${model.depth.mean}`);
        assert.ok(threshold !== null && threshold >= 0 && threshold < 1);
      }
      assert.equal(runs[1]?.threshold, 0);
      const [first] = runs;
      const evaluation = await okJson<Evaluation>(
        ...['eval', at('gates'), '--text', at('text.txt'), '--window', '20', '--kv', 'project'],
        ...['--against', at('plain'), '--threshold', String(first?.threshold)],
      );
      assert.deepEqual([first?.model, first?.agreement], [evaluation.model, evaluation.agreement]);
    });

    it('shows budget, threshold and the depth that was reached', async () => {
      const shown = await ok(...budgeted('--thresholds', '0.4', '-o', at('both.json')));
      assert.match(shown, /^kv +budget +threshold +depth/m);
      assert.match(shown, /^project +0\.4 +\d\.\d\d/m);
      assert.match(shown, /^project +50\.0 % +0\.\d+ +\d\.\d\d/m);
      assert.equal((readJson(at('both.json')) as Sweep).runs.length, 10);
    });

    it('goes on behind what is done, which is not searched again', async () => {
      const controller = new AbortController();
      const update = (done: number): void => {
        if (done > 5800) controller.abort();
      };
      const out = budgeted('-o', at('half.json'));
      await radialc(out, { signal: controller.signal, progress: { update, stop: () => undefined } });
      const partial = readJson(at('half.json.partial')) as Sweep;
      assert.equal(partial.runs.length, 4);
      await refused('RC1266', [...out, '--resume', '--budget', '0.4'], /other budgets/);
      await ok(...out, '--resume');
      assert.deepEqual(untimed(at('half.json')), untimed(at('budgets.json')));
      const marked = partial.runs.map((run) => ({ ...run, threshold: 0.123 }));
      writeJson(at('half.json.partial'), { ...partial, runs: marked });
      await ok(...out, '--resume');
      assert.deepEqual((readJson(at('half.json')) as Sweep).runs.slice(0, 4), marked);
    });

    it('RC1263, RC0274: not without gates; usage that is wrong', async () => {
      await refused(
        'RC1263',
        [...common('hub'), '--budget', '0.5', '-o', at('new.json')],
        /budgets[^]*leave --budget out/,
      );
      await refused('RC0274', [...common('plain'), '--budget', '0.5', '-o', at('new.json')], /no routers/);
      for (const list of ['0', '1.1', '0.5,', 'half']) {
        assert.equal((await radialc([...common('gates'), '--budget', list])).code, 2, list);
      }
    });
  });

  it('RC1266: a dense model that is another one by now; where it lies does not matter', async () => {
    cpSync(at('plain'), at('teacher'), { recursive: true });
    const against = (name: string, ...rest: readonly string[]): readonly string[] =>
      args('--against', at(name), '-o', at('moved.json'), ...rest);
    const controller = new AbortController();
    const update = (done: number): void => {
      if (done > 4000) controller.abort();
    };
    await radialc(against('teacher'), { signal: controller.signal, progress: { update, stop: () => undefined } });
    await checkpoint(at('other'), { seed: 9 });
    await refused('RC1266', against('other', '--resume'), /other contents of the dense model/);
    renameSync(at('teacher'), at('moved'));
    cpSync(at('other'), at('teacher'), { recursive: true });
    await refused('RC1266', against('teacher', '--resume'), /other contents of the dense model/);
    await ok(...against('moved', '--resume'));
  });

  it('RC1265, RC1266, RC1267: nothing to resume, or something else', async () => {
    await refused('RC1265', args('-o', at('new.json'), '--resume'), /no unfinished sweep/);
    const { runs, ...rest } = readJson(at('sweep.json')) as Sweep;
    writeJson(at('new.json.partial'), { ...rest, runs: runs.slice(1) });
    await refused('RC1266', args('-o', at('new.json'), '--resume'), /other runs than its grid/);
    writeJson(at('new.json.partial'), { ...rest, runs: [1] });
    await refused('RC1267', args('-o', at('new.json'), '--resume'), /not a sweep[^]*new\.json\.partial:1/);
    rmSync(at('new.json.partial'));
  });

  it('RC0274, RC1263: models without routers, thresholds without gates', async () => {
    await refused('RC0274', [...common('plain'), '-o', at('new.json')], /no routers[^]*help: name a checkpoint/);
    await refused('RC1263', [...common('hub'), '--thresholds', '0.5', '-o', at('new.json')], /a hub/);
  });

  it('replaces sweeps only', async () => {
    renameSync(at('hub.json'), at('old.json'));
    await ok(...common('hub'), '-o', at('old.json'));
    const before = readFileSync(at('text.txt'), 'utf8');
    await refused('RC1208', [...common('hub'), '-o', at('text.txt')], /one of the inputs/);
    assert.equal(readFileSync(at('text.txt'), 'utf8'), before);
  });
});
