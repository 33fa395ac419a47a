/** @file What was found is not lost where it cannot be written: a full disk, a folder that has gone, an interrupt. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { gates, writeRouters } from '../../support/routers.ts';
import { onFullDisk } from '../routing/support.ts';
import { checkpoint, filesOf, optConfig, radialc, scratch } from './support.ts';
import type { Ran } from './support.ts';

describe('what was found', () => {
  const at = scratch();
  before(async () => {
    await checkpoint(at('model'));
    cpSync(at('model'), at('gates'), { recursive: true });
    writeRouters(at('gates'), { ...gates, blocks: 4, gatedBlocks: [1, 2, 3], maxHops: 4 }, optConfig.hidden_size);
    writeFileSync(at('text.txt'), 'the cat sat on the other mat. then the thin moth went there. ');
  });
  const measuring = (command: string, ...rest: readonly string[]): readonly string[] => [
    ...[command, at('model'), '--text', at('text.txt'), '--window', '20', '-o', at('out', 'file')],
    ...rest,
  ];
  /** What stands behind the lines for people. */
  const jsonIn = (stdout: string): Readonly<Record<string, unknown>> =>
    JSON.parse(stdout.slice(stdout.search(/^\{/m))) as Readonly<Record<string, unknown>>;
  const withFolder = async (run: () => Promise<Ran>): Promise<Ran> => {
    mkdirSync(at('out'));
    try {
      return await run();
    } finally {
      rmSync(at('out'), { recursive: true, force: true });
    }
  };
  const help = /^ {2}help: .*what was found is on standard output, as JSON$/m;

  for (const [command, shown, ...more] of [
    ['eval', /^\d+ tokens/],
    ['oracle', /6 blocks|4 blocks/],
    ['study', /oracle-on \*/, '--no-timing'],
  ] as const) {
    it(`by ${command} is shown on a full disk, as people read it and as JSON`, async () => {
      const { code, stdout, stderr } = await withFolder(() =>
        onFullDisk(0, () => radialc(measuring(command, ...more))),
      );
      assert.equal(code, 1);
      assert.match(stderr, /^error\[RC1212\]: .*ENOSPC[^]*make room on the disk/);
      assert.match(stderr, help);
      assert.match(stdout, shown);
      assert.equal(jsonIn(stdout)['format'], `radial-${command}`);
    });

    it(`by ${command} is shown once where JSON was asked for, and its folder has gone meanwhile`, async () => {
      const progress = { update: () => rmSync(at('out'), { recursive: true, force: true }), stop: () => undefined };
      const { code, stdout, stderr } = await withFolder(() =>
        radialc(measuring(command, '--format=json', ...more), { progress }),
      );
      assert.equal(code, 1);
      assert.match(stderr, /^error\[RC1212\]: .*ENOENT/);
      assert.match(stderr, help);
      assert.equal(stdout.match(new RegExp(`"format": "radial-${command}"`, 'g'))?.length, 1);
    });
  }

  describe('by run --record', () => {
    const run = (...rest: readonly string[]): readonly string[] => [
      ...['run', at('gates'), '--prompt', 'the cat', '-n', '8', '--record', at('routes.jsonl')],
      ...rest,
    ];
    const positionsIn = (lines: string): readonly unknown[] =>
      lines
        .split('\n')
        .filter((line) => line.startsWith('{"position"'))
        .map((line) => (JSON.parse(line) as { position: unknown }).position);

    it('is shown on a full disk', async () => {
      const { code, stdout, stderr } = await onFullDisk(0, () => radialc(run()));
      assert.equal(code, 1);
      assert.match(stderr, /^error\[RC1212\]: .*ENOSPC[^]*make room on the disk/);
      assert.match(stderr, help);
      assert.match(stdout, /^the cat/);
      assert.deepEqual(positionsIn(stdout), [...Array(14).keys()]);
    });

    for (const room of [1, 0]) {
      it(`is ${room === 1 ? 'written' : 'shown'} when it is interrupted${room === 1 ? '' : ', on a full disk'}`, async () => {
        const controller = new AbortController();
        let writes = 0;
        const onWrite = (): void => {
          if (++writes === 4) controller.abort();
        };
        const { code, stdout, stderr } = await onFullDisk(room, () =>
          radialc(run(), { signal: controller.signal, onWrite }),
        );
        assert.equal(code, 130);
        assert.match(stderr, room === 1 ? /^the routes until here are in .*routes\.jsonl$/m : /^error\[RC1212\]/);
        // The prompt is there, and some of what followed it.
        const positions = positionsIn(room === 1 ? readFileSync(at('routes.jsonl'), 'utf8') : stdout);
        assert.deepEqual(positions, [...positions.keys()]);
        assert.ok(positions.length >= 7 && positions.length < 14, String(positions.length));
        assert.equal(filesOf(at()).includes('routes.jsonl'), room === 1);
        rmSync(at('routes.jsonl'), { force: true });
      });
    }
  });
});
