/** @file Speeds are those of programs that the engine has compiled. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { openModel } from '../../../../compiler/cli/model.ts';
import { evaluateModel } from '../../../../compiler/routing/index.ts';
import type { Subject } from '../../../../compiler/routing/index.ts';
import { checkpoint, scratch } from '../../cli/support.ts';

describe('the speed of an evaluation', () => {
  const at = scratch();
  before(async () => {
    await checkpoint(at('model'));
    writeFileSync(at('text.txt'), 'the cat sat on the other mat. then the thin moth went there. ');
  });

  it('leaves out the first run of each model, whose tokens do not count', async () => {
    const now = performance.now.bind(performance);
    let clock = 0;
    // A second for each run, and a minute for the first one.
    const open = async (): Promise<Subject> => {
      const model = await openModel(at('model'), {});
      let runs = 0;
      return {
        path: at('model'),
        model: {
          ...model,
          forward: async (input, options) => {
            clock += runs++ === 0 ? 60_000 : 1000;
            return model.forward(input, options);
          },
        },
      };
    };
    const [subject, against] = [await open(), await open()];
    try {
      performance.now = () => clock;
      const { windows, tokens, timing } = await evaluateModel({
        ...{ subject, against, paths: [at('text.txt')], window: 20, mode: 'decode' },
        signal: new AbortController().signal,
      });
      assert.ok(windows > 1);
      for (const speed of [timing.model, timing.against]) {
        assert.deepEqual(speed, { seconds: windows, tokensPerSecond: tokens / windows });
      }
    } finally {
      performance.now = now;
      subject.model.dispose();
      against.model.dispose();
    }
  });
});
