/** @file KV errors in profiles: those of walks that skip, by the interpreter. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { loadCheckpoint } from '../../../compiler/frontend/index.ts';
import type { Summary } from '../../../compiler/routing/index.ts';
import { kvReports } from '../../../runtime/artifact/index.ts';
import { createTokenizer } from '../../../runtime/tokenizer.ts';
import { kvPairs } from '../../support/kv-pairs.ts';
import { checkpoint, okJson, scratch, tokenizerJson } from '../cli/support.ts';
import { assertStatistics } from './support.ts';

interface Report extends Pick<Summary, 'blocks'> {
  readonly statistics: Pick<Summary, 'kv'>;
}

const text = 'the cat sat on the other mat. then the thin moth went there. '.repeat(2);

describe('KV errors', () => {
  const at = scratch();
  before(async () => {
    await checkpoint(at('model'));
    writeFileSync(at('text.txt'), text);
  });

  it('of each attention block are those of walks that skip', async () => {
    const args = ['--text', at('text.txt'), '--window', '16', '--max-tokens', '40', '-o', at('kv.json')];
    const report = await okJson<Report>('profile', at('model'), ...args);
    const { network, weights, checkpoint: opened } = loadCheckpoint(at('model'));
    const ids = createTokenizer(tokenizerJson(), undefined).encode(text).slice(0, 40);
    const errors = new Map<string, number[]>();
    for (let from = 0; from < ids.length; from += 15) {
      for (const [key, { right, left }] of kvPairs(network, weights, [2, ...ids.slice(from, from + 15)])) {
        const [block = '', , name = ''] = key.split(' ');
        const error = Math.hypot(...right.map((value, i) => value - (left[i] ?? NaN))) / Math.hypot(...right);
        errors.set(`${block} ${name}`, [...(errors.get(`${block} ${name}`) ?? []), error]);
      }
    }
    opened.close();
    const names = (id: number): readonly string[] =>
      Object.keys(report.blocks.find((block) => block.id === id)?.kv ?? {});
    assert.deepEqual([names(0), names(1), names(2), names(3)], [['absent'], [], [...kvReports], []]);
    // The first token of a window sees no other anyway: an error of about zero, to which a relative tolerance means nothing.
    const large = (values: readonly number[]): readonly number[] => values.filter((value) => value > 1e-3);
    for (const { id, kv } of report.blocks) {
      for (const [name, found] of Object.entries(kv)) {
        const expected = errors.get(`${id} ${name}`) ?? [];
        if (name !== 'absent') assertStatistics(found, expected, `block ${id}, ${name}`);
        assert.equal(large(expected).length, expected.length - (name === 'absent' ? 3 : 0));
        const mean = expected.reduce((sum, value) => sum + value, 0) / expected.length;
        assert.ok(
          Math.abs((found?.mean ?? NaN) / mean - 1) < 1e-4,
          `block ${id}, ${name}: ${found?.mean}, not ${mean}`,
        );
        assert.equal(found?.count, expected.length);
      }
    }
    const all = kvReports.map((name) => report.statistics.kv[name]?.count);
    assert.deepEqual(all, [43, 43, 43, 43, 86]);
  });
});
