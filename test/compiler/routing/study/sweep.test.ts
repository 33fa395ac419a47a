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
