/** @file What routing means: walks, hop cap, the KV policies and the revisit rules, on a model small enough to reason about. */
import assert from 'node:assert/strict';
import { createInterpreter } from '../../../ir/interpreter/index.ts';
import type { RunResult, Walk } from '../../../ir/interpreter/index.ts';
import type { KvPolicy, Routing } from '../../../ir/types.ts';
import { noWeights, tinyNetwork } from '../../support/tiny.ts';

const ids = [3, 1, 4, 1, 5];
const all: Walk = [0, 1, 2, 3];
const policies: readonly KvPolicy[] = ['absent', 'project', 'latest'];

function run(walks: readonly (Walk | undefined)[], routing: Partial<Routing> = {}): RunResult {
  return createInterpreter(tinyNetwork({ routed: true, routing }), noWeights).runTokens(ids, { walks });
}

function walksWith(token: number, walk: Walk): readonly Walk[] {
  return ids.map((_, t) => (t === token ? walk : all));
}

describe('the interpreter: routing', () => {
  for (const kv of policies) {
    it(`identity walks equal the sequential network under ${kv}`, () => {
      const sequential = createInterpreter(tinyNetwork(), noWeights).runTokens(ids);
      assert.deepEqual(
        run(
          ids.map(() => all),
          { kv },
        ).logits,
        sequential.logits,
      );
      assert.deepEqual(run([], { kv }).logits, sequential.logits);
    });
  }

  it('reports the blocks that a token executed', () => {
    const result = run(walksWith(1, [0, 3]));
    assert.deepEqual(result.paths, [all, [0, 3], all, all, all]);
  });

  it('cuts a walk at the hop cap', () => {
    const result = run(walksWith(0, [0, 1, 0, 1, 2]), { maxHops: 4 });
    assert.deepEqual(result.paths[0], [0, 1, 0, 1]);
  });

  it('a token that skips everything leaves nothing behind under absent and latest, but does under project', () => {
    const present = run(walksWith(2, all));
    const results = new Map(policies.map((kv) => [kv, run(walksWith(2, []), { kv })]));
    assert.deepEqual(results.get('absent')?.logits, results.get('latest')?.logits);
    assert.notDeepEqual(results.get('absent')?.logits[3], results.get('project')?.logits[3]);
    assert.notDeepEqual(results.get('absent')?.logits[3], present.logits[3]);
    assert.deepEqual(results.get('absent')?.logits.slice(0, 2), present.logits.slice(0, 2));
  });

  it('latest copies the entry of the last executed attention block', () => {
    const skipsSecondAttention = walksWith(1, [0, 1, 3]);
    const results = policies.map((kv) => run(skipsSecondAttention, { kv }).logits[2]);
    assert.notDeepEqual(results[0], results[1]);
    assert.notDeepEqual(results[0], results[2]);
    assert.notDeepEqual(results[1], results[2]);
  });

  it('skipping an MLP has no effect on any cache', () => {
    const [absent, project, latest] = policies.map((kv) => run(walksWith(1, [0, 2]), { kv }).logits);
    assert.deepEqual(absent, project);
    assert.deepEqual(absent, latest);
  });

  it('a second visit overwrites its entry, or adds one', () => {
    const twice = walksWith(1, [0, 0, 1, 2, 3]);
    const overwrite = run(twice, { revisit: 'overwrite' });
    const append = run(twice, { revisit: 'append' });
    assert.notDeepEqual(overwrite.logits[1], append.logits[1]);
    assert.notDeepEqual(overwrite.logits[2], append.logits[2]);
    assert.deepEqual(overwrite.logits[0], append.logits[0]);
  });

  it('executing a block after passing it over replaces the fill', () => {
    const back = walksWith(1, [1, 0, 1, 2, 3]);
    const first = run(back, { kv: 'project' });
    const absent = run(back, { kv: 'absent' });
    assert.deepEqual(first.logits, absent.logits);
  });

  it('an edge backwards passes nothing over', () => {
    const walk = walksWith(1, [0, 1, 2, 3, 1]);
    const [absent, project] = (['absent', 'project'] as const).map((kv) => run(walk, { kv }).logits);
    // The way from block 1 to the exit passes block 2 over, which the token has executed: its entry stays.
    assert.deepEqual(absent, project);
  });
});
