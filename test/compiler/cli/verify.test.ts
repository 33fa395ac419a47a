/** @file `radialc verify`: a program against the interpreter. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { difference } from '../../../compiler/cli/commands/verify.ts';
import { checkpoint, fails, ok, okJson, optConfig, radialc, scratch, vitConfig } from './support.ts';

interface Verified {
  readonly ok: boolean;
  readonly seed: number;
  readonly cases: readonly { readonly name: string; readonly maxAbs: number; readonly firstDivergent: number | null }[];
}

describe('radialc verify', () => {
  const at = scratch();
  before(async () => {
    await checkpoint(at('model'));
    await checkpoint(at('other-weights'), { seed: 2 });
    await checkpoint(at('longer'), { config: { ...optConfig, max_position_embeddings: 64 } });
    await checkpoint(at('vit'), { config: vitConfig });
    await ok('compile', at('model'), '-o', at('out'));
    await ok('compile', at('model'), '-o', at('routed'), '--route=external', '--kv=project', '--max-hops=6');
    await ok('compile', at('vit'), '-o', at('vit-out'));
  });

  it('finds that a program does what its checkpoint says', async () => {
    const text = await ok('verify', at('out'), at('model'), '--tokens', '9', '--sequences', '2');
    assert.equal(text.match(/^sequence \d, (prefill|decode): max abs .*, max rel .*, ok$/gm)?.length, 4, text);
    const { ok: good, cases } = await okJson<Verified>(
      'verify',
      at('routed'),
      at('model'),
      '--tokens=7',
      '--sequences=1',
    );
    assert.ok(good);
    assert.deepEqual(
      cases.map(({ name }) => name),
      [
        'sequence 0, prefill',
        'sequence 0, decode',
        'sequence 0, prefill, forward walks',
        'sequence 0, decode, forward walks',
        'sequence 0, prefill, any walks',
        'sequence 0, decode, any walks',
      ],
    );
    assert.ok(cases.every(({ maxAbs, firstDivergent }) => maxAbs < 3e-4 && firstDivergent === null));
    assert.match(await ok('verify', at('vit-out'), at('vit'), '--sequences', '1'), /^image 0: .* ok$/m);
  });

  it('walks graphs in which not every block leads to every other', async () => {
    const loop = 'examples/hand-written/loop.rir';
    await ok('compile', loop, '-o', at('loop'));
    const text = await ok('verify', at('loop'), loop, '--tokens', '6');
    assert.equal(text.match(/ ok$/gm)?.length, 12, text);
  });

  it('takes the edges of a text, or those that a route made of them', async () => {
    const loop = 'examples/hand-written/loop.rir';
    for (const route of ['external', 'sequential']) {
      await ok('compile', loop, '-o', at(`loop-${route}`), '--route', route, '--kv=absent', '--max-hops=5');
      await ok('verify', at(`loop-${route}`), loop, '--tokens', '6', '--sequences', '1');
    }
    const text = readFileSync(loop, 'utf8')
      .replace('^1, ^0, exit', 'exit, ^0')
      .replace(/block \^1 [^]*?\n\} -> .*\n/, '');
    writeFileSync(at('lone.rir'), text);
    assert.match(await fails('RC1007', 'verify', at('loop'), at('lone.rir')), /block 1 .* is mlp, .* there is none/);
  });

  it('takes the tensors that a text names from a folder', async () => {
    await ok('compile', at('model'), '-o', at('texts-out'), '--dump-phases-to', at('texts'));
    const args = ['verify', at('texts-2'), at('texts', '00.input.rir'), '--tokens', '3', '--sequences', '1'];
    await ok('compile', at('texts', '00.input.rir'), '-o', at('texts-2'), '--weights', at('model'));
    assert.match(await fails('RC1008', ...args), /--weights DIR/);
    await ok(...args, '--weights', at('model'));
    await fails('RC1014', 'verify', at('out'), at('model'), '--weights', at('model'));
    await fails('RC1011', 'verify', at('out'), at('out'), '--weights', at('model'));
  });

  it('walks the tokens of images', async () => {
    await ok('compile', at('vit'), '-o', at('vit-routed'), '--route=external');
    const { cases } = await okJson<Verified>('verify', at('vit-routed'), at('vit'), '--sequences', '2');
    assert.deepEqual(
      cases.map(({ name, firstDivergent }) => [name, firstDivergent]),
      ['image 0', 'image 0, forward walks', 'image 1', 'image 1, forward walks'].map((name) => [name, null]),
    );
  });

  it('ends its progress, whatever happens', async () => {
    let stopped = 0;
    const stop = (): void => {
      stopped++;
    };
    const lines: readonly (readonly string[])[] = [
      ['verify', at('out'), at('model')],
      ['bench', at('out'), '-r', '1', '-p', '4', '-n', '2'],
      ['bench', at('vit-out'), '-r', '1'],
    ];
    for (const args of lines) {
      for (const broken of [false, true]) {
        stopped = 0;
        const update = (): void => {
          if (broken) throw new Error('no terminal');
        };
        const { code } = await radialc(args, { progress: { update, stop } });
        assert.deepEqual([code, stopped], [broken ? 70 : 0, 1], args[0]);
      }
    }
  });

  it('compares a program with the network that it carries', async () => {
    await ok('verify', at('out'), at('out'), '--tokens', '5', '--sequences', '1').then((text) =>
      assert.match(text, /ok$/m),
    );
  });

  it('finds the first token that differs', async () => {
    const { code, stdout, stderr } = await radialc([
      'verify',
      at('out'),
      at('other-weights'),
      '--tokens=5',
      '--sequences=1',
    ]);
    assert.equal(code, 1);
    assert.match(stdout, /^sequence 0, prefill: .*, differs from token 0 on$/m);
    assert.match(
      stderr,
      /^error\[RC1004\]: 2 of 2 cases differ; first: sequence 0, prefill, token 0, .*\n {2}help: .*seed 0$/m,
    );
    const json = await radialc([
      'verify',
      at('out'),
      at('other-weights'),
      '--tokens=5',
      '--sequences=1',
      '--format=json',
    ]);
    assert.equal(json.code, 1);
    const [report = ''] = json.stdout.split('\n');
    assert.equal((JSON.parse(report) as Verified).ok, false);
  });

  it('takes tolerances', async () => {
    await ok('verify', at('out'), at('other-weights'), '--tokens=5', '--sequences=1', '--atol', '1e9');
    await fails('RC1004', 'verify', at('out'), at('model'), '--tokens=5', '--sequences=1', '--atol=0', '--rtol=0');
  });

  it('refuses a checkpoint of another shape', async () => {
    await fails('RC0201', 'verify', at('out'), at());
    await fails('RC1007', 'verify', at('out'), at('vit'));
    await fails('RC1007', 'verify', at('vit-out'), at('model'));
    await fails('RC0801', 'verify', at('model'), at('model'));
    await ok('compile', at('longer'), '-o', at('longer-out'));
    await fails('RC0254', 'verify', at('longer-out'), at('model'));
  });

  it('counts what is not a number, and rows that are missing, as different', () => {
    const rows = (...logits: readonly number[][]): Parameters<typeof difference>[0] => ({
      logits: logits.map((row) => Float32Array.from(row)),
      depth: logits.map(() => 1),
      path: logits.map(() => [0]),
    });
    const expected = rows([1, 2], [3, 4]);
    const same = { maxAbs: 0, maxRel: 0, firstDivergent: null };
    assert.deepEqual(difference(expected, expected, 0, 0), same);
    assert.deepEqual(difference(rows([1, 2], [3, 5]), expected, 0.5, 0), {
      maxAbs: 1,
      maxRel: 0.25,
      firstDivergent: 1,
    });
    assert.equal(difference(rows([1, NaN], [3, 4]), expected, 9, 9).firstDivergent, 0);
    assert.equal(difference(rows([1, 2]), expected, 9, 9).firstDivergent, 1);
    assert.equal(difference(expected, rows([1, 2]), 9, 9).firstDivergent, 1);
    assert.equal(difference(rows([1], [3, 4]), expected, 9, 9).firstDivergent, 0);
    for (const odd of [NaN, Infinity, -Infinity]) {
      const worst = { maxAbs: Infinity, maxRel: Infinity, firstDivergent: 1 };
      assert.deepEqual(difference(expected, rows([1, 2], [3, odd]), 9, 9), worst);
      assert.deepEqual(difference(rows([1, 2], [3, odd]), expected, 9, 9), worst);
      assert.deepEqual(difference(rows([1, 2], [3, odd]), rows([1, 2], [3, odd]), 9, 9), worst);
    }
    assert.equal(difference({ ...expected, depth: [1, 2] }, expected, 9, 9).firstDivergent, 1);
  });
});
