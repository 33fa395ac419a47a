/** @file A text that is shorter than a window is told of by all that measures on text. */
import assert from 'node:assert/strict';
import { cpSync, writeFileSync } from 'node:fs';
import { gates, writeRouters } from '../../support/routers.ts';
import { checkpoint, optConfig, radialc, scratch } from '../cli/support.ts';

describe('RC1227 is a warning, once', () => {
  const at = scratch();
  before(async () => {
    await checkpoint(at('model'));
    cpSync(at('model'), at('gates'), { recursive: true });
    writeRouters(at('gates'), { ...gates, blocks: 4, gatedBlocks: [1, 2, 3], maxHops: 4 }, optConfig.hidden_size);
    writeFileSync(at('text.txt'), 'the cat sat on the other mat. then the thin moth went there. ');
  });

  for (const [command, ...more] of [
    ['eval'],
    ['oracle'],
    ['study', '--no-timing'],
    ['sweep', '--thresholds', '0.2,0.8'],
  ] as const) {
    it(`of radialc ${command}`, async () => {
      const model = command === 'sweep' ? 'gates' : 'model';
      const args = [command, at(model), '--text', at('text.txt'), '-o', at(`${command}.out`), ...more];
      const { code, stderr } = await radialc([...args, '--max-tokens', '40']);
      assert.equal(code, 0, stderr);
      assert.match(
        stderr,
        /^warning\[RC1227\]: no text fills a window of 48: the longest has 40.*\n {2}--> .*text\.txt/,
      );
      assert.equal(stderr.match(/RC1227/g)?.length, 1);
      assert.equal((await radialc([...args, '--window', '20'])).stderr, '');
    });
  }
});
