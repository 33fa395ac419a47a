/** @file `radialc oracle`: what it reports, against the interpreter; its ends, its bytes, its table. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { loadCheckpoint } from '../../../../compiler/frontend/index.ts';
import type { Evaluation, OracleSummary, Routed } from '../../../../compiler/routing/index.ts';
import { createInterpreter } from '../../../../ir/index.ts';
import type { Interpreter, KvPolicy } from '../../../../ir/index.ts';
import { passesNamed, runPasses } from '../../../../passes/index.ts';
import { createTokenizer } from '../../../../runtime/tokenizer.ts';
import {
  checkpoint,
  filesOf,
  ok,
  okJson,
  optConfig,
  radialc,
  readJson,
  scratch,
  tokenizerJson,
} from '../../cli/support.ts';

type Report = OracleSummary & { readonly windows: number; readonly seed: number };

const text = 'the cat sat on the other mat. then the thin moth went there. '.repeat(2);

/** The interpreter on the first window: what it says of a route, and what its oracle decides. */
function interpreted(dir: string, kv: KvPolicy, targets: readonly number[]) {
  const { network, weights, checkpoint: opened } = loadCheckpoint(dir);
  const interpreterOf = (route: 'external' | 'oracle_input'): Interpreter => {
    const { module } = runPasses(network, passesNamed(['radialize']), { options: { route, kv } });
    assert.equal(module.stage, 'network');
    return createInterpreter(module, weights);
  };
  const [interpreter, deciding] = [interpreterOf('external'), interpreterOf('oracle_input')];
  const ids = [2, ...targets.slice(0, -1)];
  const ratios: number[][] = ids.map(() => []);
  const turns = network.blocks.map(() => 0);
  const logProbabilities = (row: Float32Array): readonly number[] => {
    const sum = row.reduce((total, value) => total + Math.exp(value), 0);
    return Array.from(row, (value) => value - Math.log(sum));
  };
  const { logits } = interpreter.runTokens(ids, {
    onBlock: ({ block, position, x, f, out }) => {
      const dot = x.reduce((sum, value, i) => sum + value * (out[i] ?? NaN), 0);
      ratios[position]?.push(Math.hypot(...f) / Math.hypot(...x));
      turns[block] = (turns[block] ?? NaN) + (1 - dot / (Math.hypot(...x) * Math.hypot(...out))) / ids.length;
    },
  });
  const decide = (threshold: number) => deciding.runTokens(ids, { threshold }).paths;
  const dense = logits.map(logProbabilities);
  const top = (row: readonly number[]): number => row.indexOf(Math.max(...row));
  const mean = (of: (position: number) => number): number => ids.reduce((sum, _, t) => sum + of(t), 0) / ids.length;
  const scoreOf = (walks: readonly (readonly number[])[]) => {
    const rows = interpreter.runTokens(ids, { walks }).logits.map(logProbabilities);
    return {
      nats: mean((t) => -(rows[t]?.[targets[t] ?? NaN] ?? NaN)),
      kl: mean((t) => (dense[t] ?? []).reduce((sum, p, id) => sum + Math.exp(p) * (p - (rows[t]?.[id] ?? NaN)), 0)),
      top1: mean((t) => Number(top(dense[t] ?? []) === top(rows[t] ?? []))),
      depth: mean((t) => walks[t]?.length ?? NaN),
    };
  };
  return { ids, ratios, turns, scoreOf, decide, close: () => opened.close() };
}

function assertScore(
  found: Routed | undefined,
  expected: Readonly<Record<'nats' | 'kl' | 'top1' | 'depth', number>>,
): void {
  const numbers = { nats: found?.nats, kl: found?.kl, top1: found?.top1, depth: found?.depth.mean };
  for (const [name, value] of Object.entries(numbers)) {
    const right = expected[name as keyof typeof expected];
    assert.ok(Math.abs((value ?? NaN) - right) < 2e-5, `${name}: ${value}, not ${right}`);
  }
}

describe('radialc oracle', () => {
  const at = scratch();
  before(async () => {
    await checkpoint(at('model'), { config: { ...optConfig, num_hidden_layers: 3 } });
    writeFileSync(at('text.txt'), text);
  });
  const targets = createTokenizer(tokenizerJson(), undefined).encode(text).slice(0, 20);
  const oracle = (...rest: readonly string[]): Promise<Report> =>
    okJson<Report>(
      ...['oracle', at('model'), '--text', at('text.txt'), '--window', '20', '-o', at('oracle.json')],
      ...rest,
    );

  for (const kv of ['absent', 'project', 'latest'] as const) {
    it(`is, off-policy, what the interpreter says of the same routes; kv ${kv}`, async () => {
      const { ids, ratios, turns, scoreOf, close } = interpreted(at('model'), kv, targets);
      const sorted = ratios.flat().sort((a, b) => a - b);
      const threshold = ((sorted[35] ?? NaN) + (sorted[36] ?? NaN)) / 2;
      const report = await oracle(
        '--policy',
        'off',
        '--kv',
        kv,
        '--threshold',
        String(threshold),
        '--max-tokens',
        '20',
      );
      assert.deepEqual([report.windows, report.tokens], [1, 20]);
      const [level] = report.thresholds;
      assert.ok(level !== undefined);
      const walks = ratios.map((row) => row.flatMap((ratio, block) => (ratio < threshold ? [] : [block])));
      assert.equal(walks.flat().length, 84);
      assertScore(level.oracle, scoreOf(walks));
      assert.ok(Math.abs(level.oracle.skipped - 36 / 120) < 1e-12);
      assert.deepEqual(
        level.oracle.depths,
        Array.from({ length: 7 }, (_, depth) => walks.filter((walk) => walk.length === depth).length),
      );
      report.importance.forEach(({ importance }, block) => {
        assert.ok(Math.abs(importance - (turns[block] ?? NaN)) < 1e-5, `${block}: ${importance}`);
      });
      // 84 of 120 blocks are 4.2 for each token: one in five executes 5, the others 4.
      const least = [0, 1, 2, 3, 4, 5].sort((a, b) => (turns[a] ?? 0) - (turns[b] ?? 0));
      const skips = ids.map((_, token) => (token % 5 === 2 ? 1 : 2));
      const kept = (skipped: readonly number[]): readonly number[] =>
        [0, 1, 2, 3, 4, 5].filter((block) => !skipped.includes(block));
      assertScore(level.baselines.static, scoreOf(skips.map((count) => kept(least.slice(0, count)))));
      assertScore(level.baselines.exit, scoreOf(skips.map((count) => kept([4, 5].slice(-count)))));
      close();
    });
  }

  for (const kv of ['absent', 'project', 'latest'] as const) {
    it(`is, on-policy, what the interpreter decides; kv ${kv}`, async () => {
      const { ratios, scoreOf, decide, close } = interpreted(at('model'), kv, targets);
      const sorted = ratios.flat().sort((a, b) => a - b);
      const threshold = ((sorted[35] ?? NaN) + (sorted[36] ?? NaN)) / 2;
      const args = ['--kv', kv, '--threshold', String(threshold), '--max-tokens', '20', '--no-baselines'];
      const [level] = (await oracle('--policy', 'on', ...args)).thresholds;
      const walks = decide(threshold);
      assert.ok(walks.flat().length < 120 && walks.flat().length > 0);
      assertScore(level?.oracle, scoreOf(walks));
      close();
    });
  }

  it('at threshold 0 is the dense model, to the bit; at a huge one nothing is executed', async () => {
    const dense = await okJson<Evaluation>('eval', at('model'), '--text', at('text.txt'), '--window', '20');
    for (const policy of ['on', 'off']) {
      const report = await oracle('--policy', policy, '--threshold', '0,1e9');
      const [none, all] = report.thresholds;
      assert.ok(Math.abs(report.dense.nats - dense.model.nats) < 1e-5);
      assert.deepEqual([report.tokens, report.windows], [dense.tokens, dense.windows]);
      for (const routed of [none?.oracle, ...Object.values(none?.baselines ?? {})]) {
        assert.deepEqual([routed?.kl, routed?.top1, routed?.skipped], [0, 1, 0]);
        assert.deepEqual([routed?.nats, routed?.depth], [report.dense.nats, report.dense.depth]);
      }
      for (const routed of [all?.oracle, ...Object.values(all?.baselines ?? {})]) {
        assert.deepEqual([routed?.depth.mean, routed?.skipped, routed?.depths[0]], [0, 1, report.tokens]);
        assert.equal(routed?.nats, all?.oracle.nats);
      }
    }
  });

  it('compares at the mean depth of the oracle', async () => {
    const report = await oracle('--policy', 'off', '--threshold', '0.4,0.5,0.7', '--window', '4');
    for (const { oracle: found, baselines } of report.thresholds) {
      const { mean } = found.depth;
      assert.ok(mean > 0.2 && mean < 5.8, String(mean));
      // Of some 100 tokens, each a sum of six draws: four standard deviations.
      assert.ok(Math.abs((baselines.random?.depth.mean ?? NaN) - mean) < 0.5);
      for (const { depth } of [baselines.static, baselines.exit].filter((one) => one !== undefined)) {
        assert.ok(Math.abs(depth.mean - mean) <= 0.5 / report.tokens + 1e-9, `${depth.mean}, not ${mean}`);
      }
    }
  });

  it('writes the same bytes each time; the seed is that of the random baseline', async () => {
    const run = async (...rest: readonly string[]): Promise<string> => {
      await oracle('--threshold', '0.5,0.8', ...rest);
      return readFileSync(at('oracle.json'), 'utf8');
    };
    const first = await run();
    assert.equal(await run(), first);
    assert.match(first, /^\{\n "format": "radial-oracle",\n "version": 1,\n "model": \{"sha256":"[0-9a-f]{64}"/);
    const parsed = JSON.parse(first) as Report;
    const other = JSON.parse(await run('--seed', '5')) as Report;
    assert.deepEqual([parsed.seed, other.seed], [0, 5]);
    const [level, changed] = [parsed.thresholds[0], other.thresholds[0]];
    assert.notDeepEqual(changed?.baselines.random, level?.baselines.random);
    assert.deepEqual({ ...changed?.baselines, random: 0 }, { ...level?.baselines, random: 0 });
    // A threshold's numbers do not depend on which others there are.
    assert.deepEqual((await oracle('--threshold', '0.8')).thresholds, parsed.thresholds.slice(1));
  });

  it('runs the baselines that are asked for', async () => {
    const names = async (...rest: readonly string[]): Promise<readonly string[]> =>
      Object.keys((await oracle('--max-tokens', '20', ...rest)).thresholds[0]?.baselines ?? { none: 0 });
    assert.deepEqual(await names(), ['random', 'static', 'exit']);
    assert.deepEqual(await names('--baselines', 'exit,random,exit'), ['random', 'exit']);
    assert.deepEqual(await names('--no-baselines'), []);
  });

  it('shows people a line for each route, and how deep tokens go', async () => {
    const stdout = await ok(
      ...['oracle', at('model'), '--text', at('text.txt'), '-o', at('people.json'), '--threshold', '0.5,0.8'],
    );
    assert.match(
      stdout,
      /^.*people\.json: opt, 6 blocks, \d+ tokens in \d windows of at most 48; on-policy, ‖f‖\/‖x‖, kv project\n\n/,
    );
    const number = String.raw`[\d.]+`;
    const row = String.raw`${number} % +${number} +\d +\d +\d +${number} +${number}`;
    assert.match(stdout, new RegExp(String.raw`^ +dense +0\.0 % +6\.00 +6 +6 +6 +${number} +${number}$`, 'm'));
    assert.match(stdout, new RegExp(String.raw`^ +0\.5 +oracle +${row} +${number} +${number} %$`, 'm'));
    for (const name of ['random', 'static', 'exit']) {
      assert.equal(stdout.match(new RegExp(String.raw`^ +${name} +${row} +${number} +${number} %$`, 'gm'))?.length, 2);
    }
    assert.equal(stdout.match(/^ +0\.[58] +\d( to \d)? +[▁▂▃▄▅▆▇█ ]+$/gm)?.length, 2);
    assert.equal((readJson(at('people.json')) as Report).thresholds.length, 2);
  });

  it('shows how far it is, and leaves nothing when it is interrupted', async () => {
    const files = filesOf(at());
    const args = ['oracle', at('model'), '--text', at('text.txt'), '--window', '20', '-o', at('never.json')];
    const run = async (most: number): Promise<{ code: number; shares: readonly number[] }> => {
      const controller = new AbortController();
      const shares: number[] = [];
      const update = (done: number, total: number): void => {
        shares.push(done / total);
        if (shares.length === most) controller.abort();
      };
      const { code } = await radialc(args, { signal: controller.signal, progress: { update, stop: () => undefined } });
      return { code, shares };
    };
    assert.deepEqual((await run(3)).code, 130);
    assert.deepEqual(filesOf(at()), files);
    const { code, shares } = await run(Infinity);
    assert.equal(code, 0);
    assert.deepEqual(
      shares,
      [...shares].sort((a, b) => a - b),
    );
    assert.equal(shares.at(-1), 1);
  });
});
