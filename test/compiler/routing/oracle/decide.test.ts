/** @file Which blocks an oracle skips: by hand, and on-policy against a search over the interpreter, token by token. */
import assert from 'node:assert/strict';
import { loadCheckpoint } from '../../../../compiler/frontend/index.ts';
import { openModel } from '../../../../compiler/routing/open.ts';
import { decideOffPolicy, skips } from '../../../../compiler/routing/oracle/decide.ts';
import type { Rule } from '../../../../compiler/routing/oracle/decide.ts';
import { createInterpreter } from '../../../../ir/index.ts';
import type { BlockEvent, Interpreter } from '../../../../ir/index.ts';
import { passesNamed, runPasses } from '../../../../passes/index.ts';
import type { PassOptions } from '../../../../passes/index.ts';
import { checkpoint, optConfig, scratch } from '../../cli/support.ts';

const blocks = [0, 1, 2, 3, 4, 5];

function ratio({ x, f, out }: BlockEvent, { denominator }: Rule): number {
  return Math.hypot(...f) / Math.hypot(...(denominator === 'input' ? x : out));
}

/**
 * The definition: token after token, block after block, in a run in which the tokens before it do what was decided for them,
 * and it what was decided so far, and then the block.
 */
function slowly(interpreter: Interpreter, ids: readonly number[], rule: Rule): readonly (readonly number[])[] {
  const walks: number[][] = [];
  ids.forEach((_, position) => {
    const walk: number[] = [];
    for (const block of blocks) {
      let found = NaN;
      interpreter.runTokens(ids.slice(0, position + 1), {
        walks: [...walks, [...walk, block]],
        onBlock: (event) => {
          if (event.position === position && event.block === block) found = ratio(event, rule);
        },
      });
      if (!(found < rule.threshold)) walk.push(block);
    }
    walks.push(walk);
  });
  return walks;
}

describe('the decision of an oracle', () => {
  const norms = Float32Array.of(2, 1, 4, 4, 2, 1, 0, 0, 0, 0, 1, 1);

  it('is to skip where the ratio is below the threshold, of either denominator', () => {
    const skipped = (threshold: number, denominator: Rule['denominator']): readonly number[] =>
      [0, 1, 2, 3].filter((block) => skips(norms, block, { threshold, denominator }));
    assert.deepEqual(skipped(0.5, 'input'), []);
    assert.deepEqual(skipped(0.51, 'input'), [0, 1]);
    assert.deepEqual(skipped(0.51, 'output'), [0]);
    assert.deepEqual(skipped(2, 'output'), [0, 3]);
    // 0 / 0 is no ratio, 1 / 0 is a large one.
    assert.deepEqual(skipped(1e30, 'input'), [0, 1]);
    assert.deepEqual(skipped(0, 'input'), []);
  });

  it('is taken for each token and each block, off-policy', () => {
    const other = Float32Array.of(1, 9, 9, 1, 0, 1, 1, 9, 9, 1, 0, 1);
    const rule: Rule = { threshold: 0.6, denominator: 'input' };
    assert.deepEqual(decideOffPolicy([norms, other], [0, 1, 2, 3], rule), [
      [2, 3],
      [0, 2],
    ]);
  });
});

describe('on-policy decisions', () => {
  const at = scratch();
  // A list takes its second page with the 17th token that leaves an entry there, or looks whether it should.
  const ids = Array.from({ length: 20 }, (_, i) => (7 * i * i + 3) % 30);
  before(async () => {
    await checkpoint(at('model'), { config: { ...optConfig, num_hidden_layers: 3 }, seed: 3 });
  });

  for (const kv of ['absent', 'project', 'latest'] as const) {
    for (const denominator of ['input', 'output'] as const) {
      it(`are those of the definition, ‖f‖ / ‖${denominator === 'input' ? 'x' : 'x + f'}‖, kv ${kv}`, async () => {
        const oracle = { kind: `oracle_${denominator}`, kv } as const;
        const { model } = await openModel(at('model'), { oracle, signal: new AbortController().signal });
        const { network, weights, checkpoint: opened } = loadCheckpoint(at('model'));
        const interpreterOf = (route: PassOptions['route']): Interpreter => {
          const { module } = runPasses(network, passesNamed(['radialize']), { options: { route, kv } });
          assert.equal(module.stage, 'network');
          return createInterpreter(module, weights);
        };
        const [interpreter, deciding] = [interpreterOf('external'), interpreterOf(oracle.kind)];
        const ratios: number[] = [];
        interpreter.runTokens(ids, {
          onBlock: (event) => void ratios.push(ratio(event, { threshold: 0, denominator })),
        });
        ratios.sort((a, b) => a - b);
        const dense = await model.forward(ids, { route: { walk: ids.map(() => blocks) } });
        let differ = 0;
        for (const share of [0.2, 0.5, 0.8]) {
          // Between two ratios, so that rounding decides nothing in the dense run.
          const i = Math.floor(share * ratios.length);
          const threshold = ((ratios[i] ?? 0) + (ratios[i + 1] ?? 0)) / 2;
          const rule: Rule = { threshold, denominator };
          const found = await model.forward(ids, { threshold });
          const expected = slowly(interpreter, ids, rule);
          assert.deepEqual(found.path, expected, String(share));
          assert.deepEqual(deciding.runTokens(ids, { threshold }).paths, expected, String(share));
          const replayed = await model.forward(ids, { route: { walk: found.path } });
          assert.deepEqual(found.logits, replayed.logits);
          assert.deepEqual(found.probes, replayed.probes);
          const offPolicy = decideOffPolicy(dense.probes ?? [], blocks, rule);
          assert.equal(offPolicy.flat().length, ratios.length - i - 1);
          if (JSON.stringify(offPolicy) !== JSON.stringify(found.path)) differ++;
        }
        assert.ok(differ >= 2, 'on- and off-policy decisions should differ here');
        model.dispose();
        opened.close();
      });
    }
  }
});
