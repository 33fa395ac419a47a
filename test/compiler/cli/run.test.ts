/** @file `radialc run`: text and ids, from programs and from checkpoints. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { checkpoint, fails, ok, okJson, optConfig, scratch, vitConfig } from './support.ts';
import { gates, writeRouters } from '../../support/routers.ts';

interface Generated {
  readonly ids: readonly number[];
  readonly text: string;
  readonly depth: readonly number[];
  readonly path: readonly (readonly number[])[];
}

/** No token ends its texts. */
const endless = { ...optConfig, eos_token_id: null };

const sampled = ['--temperature', '1', '--top-k', '20', '--top-p', '0.95'];

describe('radialc run', () => {
  const at = scratch();
  before(async () => {
    await checkpoint(at('model'), { config: endless });
    await checkpoint(at('ids-only'), { tokenizer: null });
    await checkpoint(at('vit'), { config: vitConfig });
    await ok('compile', at('model'), '-o', at('out'));
    await ok('compile', at('ids-only'), '-o', at('out-ids'));
  });

  it('goes on from a text, the same with the program as with its checkpoint', async () => {
    const text = await ok('run', at('out'), '--prompt', 'the cat', '-n', '12');
    assert.ok(text.startsWith('the cat') && text.endsWith('\n'), text);
    assert.equal(await ok('run', at('model'), '--prompt', 'the cat', '-n', '12'), text);
    assert.equal(await ok('run', at('model'), '--prompt', 'the cat', '-n', '12', '-O0'), text);
  });

  it('goes on from ids, and prints ids', async () => {
    // "the cat" with the start token before it.
    const { ids } = await okJson<Generated>('run', at('out'), '--prompt', 'the cat', '-n', '6');
    assert.equal(await ok('run', at('out'), '--ids', '2,31,7,29,5,3,22', '-n', '6'), `${ids.join(',')}\n`);
    assert.equal(await ok('run', at('out-ids'), '--ids', '2, 31', '-n', '3').then((line) => line.split(',').length), 3);
  });

  it('tells machines ids, text, depth and path', async () => {
    const { ids, text, depth, path } = await okJson<Generated>('run', at('out'), '--prompt', 'a', '-n', '5');
    assert.equal(ids.length, 5);
    assert.equal(`a${text}\n`, await ok('run', at('out'), '--prompt', 'a', '-n', '5'));
    assert.deepEqual(depth, [4, 4, 4, 4, 4]);
    assert.deepEqual(path[0], [0, 1, 2, 3]);
  });

  it('shows the depth of each token', async () => {
    const text = await ok('run', at('out'), '--prompt', 'a', '-n', '5', '--show-depth');
    assert.equal(text.match(/⟨4⟩/g)?.length, 5);
    assert.equal(text.replaceAll('⟨4⟩', ''), await ok('run', at('out'), '--prompt', 'a', '-n', '5'));
  });

  it('samples the same with the same seed, and otherwise with another', async () => {
    const run = (seed: string): Promise<Generated> =>
      okJson('run', at('out'), '--prompt', 'a', '-n', '20', ...sampled, '--seed', seed);
    const first = await run('7');
    assert.deepEqual(await run('7'), first);
    assert.notDeepEqual((await run('8')).ids, first.ids);
  });

  it('ends where a stop string appears', async () => {
    const whole = (await okJson<Generated>('run', at('out'), '--prompt', 'the cat', '-n', '30', ...sampled)).text;
    assert.ok(whole.length > 6, whole);
    const stop = whole.slice(4, 6);
    const { text } = await okJson<Generated>(
      'run',
      at('out'),
      '--prompt',
      'the cat',
      '-n',
      '30',
      ...sampled,
      '--stop',
      'zzzzz',
      stop,
    );
    assert.equal(text, whole.slice(0, whole.indexOf(stop)));
  });

  describe('many prompts', () => {
    const lines = ['the cat', 'a', 'on the mat.', 'the dog ate', 'b'];
    const settings = ['-n', '9', ...sampled];
    before(async () => {
      writeFileSync(at('lines.txt'), `${lines.slice(0, 3).join('\n')}\n\r\n${lines.slice(3).join('\r\n')}\n`);
      await ok('compile', at('model'), '-o', at('out-3'), '--sequences', '3');
    });

    it('get what each gets alone, line n with seed + n, in programs for one and for several', async () => {
      const expected: object[] = [];
      for (const [n, prompt] of lines.entries()) {
        const alone = await okJson<Generated>(
          'run',
          at('out'),
          '--prompt',
          prompt,
          ...settings,
          '--seed',
          String(5 + n),
        );
        expected.push({ prompt, ...alone });
      }
      for (const out of [at('out'), at('out-3')]) {
        const found = await okJson<{ readonly sequences: readonly (Generated & { readonly prompt: string })[] }>(
          'run', out, '--prompts', at('lines.txt'), ...settings, '--seed', '5',
        ); // prettier-ignore
        assert.deepEqual(found.sequences, expected);
      }
    });

    it('are shown one after the other, with their texts', async () => {
      const text = await ok('run', at('out-3'), '--prompts', at('lines.txt'), '-n', '6', '--show-depth');
      const parts = text.split('\n\n');
      assert.equal(parts.length, lines.length);
      for (const [n, prompt] of lines.entries()) {
        const alone = await ok('run', at('out'), '--prompt', prompt, '-n', '6', '--show-depth');
        assert.equal(parts[n]?.trimEnd(), alone.trimEnd());
      }
      assert.equal(await ok('run', at('model'), '--sequences', '2', '--prompts', at('lines.txt'), '-n', '6', '--show-depth'), text); // prettier-ignore
    });

    it('are refused where there are none, they are no text, too long, or not alone', async () => {
      writeFileSync(at('none.txt'), '\n\r\n');
      await fails('RC1018', 'run', at('out-3'), '--prompts', at('none.txt'));
      writeFileSync(at('none.txt'), new Uint8Array([0xff, 0xfe]));
      await fails('RC1018', 'run', at('out-3'), '--prompts', at('none.txt'));
      await fails('RC0132', 'run', at('out-3'), '--prompts', at('nowhere.txt'));
      writeFileSync(at('none.txt'), `a\n${'b'.repeat(50)}\n`);
      assert.match(await fails('RC0905', 'run', at('out-3'), '--prompts', at('none.txt')), /prompt 1/);
      await fails('RC1010', 'run', at('out-3'), '--prompts', at('lines.txt'), '--prompt', 'a');
      await fails('RC1011', 'run', at('out-3'), '--prompts', at('lines.txt'), '--sequences', '2');
      await fails('RC0612', 'run', at('model'), '--prompts', at('lines.txt'), '--sequences', '49');
    });
  });

  it('needs one prompt, of the kind that the model takes', async () => {
    await fails('RC1010', 'run', at('out'));
    await fails('RC1010', 'run', at('out'), '--prompt', 'a', '--ids', '1');
    await fails('RC0910', 'run', at('out-ids'), '--prompt', 'a');
    await fails('RC0910', 'run', at('out-ids'), '--ids', '1', '--stop', 'a');
    await fails('RC0907', 'run', at('vit'), '--ids', '1');
  });

  it('writes as much as the context has room for, 64 tokens at most', async () => {
    const { ids } = await okJson<Generated>('run', at('out'), '--ids', '1,2,3');
    assert.equal(ids.length, 45);
    const full = Array.from({ length: 48 }, () => 3).join(',');
    await fails('RC0905', 'run', at('out'), '--ids', full);
    await fails('RC0905', 'run', at('out'), '--ids', '1,2,3', '-n', '46');
  });

  it('refuses options of compilation for a program', async () => {
    assert.match(
      await fails('RC1011', 'run', at('out'), '--prompt', 'a', '--kv', 'latest'),
      /compile the checkpoint again/,
    );
    assert.match(await fails('RC1011', 'run', at('out'), '--prompt', 'a', '-O0'), /compile the checkpoint again/);
  });

  it('says what it looked for where there is neither a program nor a checkpoint', async () => {
    await fails('RC0140', 'run', at('nowhere'), '--prompt', 'a');
    await fails('RC0201', 'run', at(), '--prompt', 'a');
  });

  describe('routes', () => {
    before(async () => {
      await checkpoint(at('gated'), { config: endless });
      writeRouters(at('gated'), { ...gates, blocks: 4, gatedBlocks: [1, 2, 3], maxHops: 4 }, optConfig.hidden_size);
      await ok('compile', at('gated'), '-o', at('out-gated'));
    });
    const prompt = ['--prompt', 'the cat', '-n', '8', '--seed', '3', '--temperature', '1'];
    const generate = (...more: string[]): Promise<Generated> => okJson('run', at('out-gated'), ...prompt, ...more);

    it('are decided by the program, within its threshold', async () => {
      const { path, depth } = await generate();
      assert.ok(new Set(path.map((walk) => walk.join())).size > 1);
      assert.deepEqual(
        depth,
        path.map((walk) => walk.length),
      );
      assert.ok((await generate('--threshold', '0')).path.every((walk) => walk.join() === '0,1,2,3'));
      assert.ok((await generate('--threshold', '1')).path.every((walk) => walk.join() === '0'));
      await fails('RC0926', 'run', at('out'), ...prompt, '--threshold', '0.5');
    });

    it('are recorded, and replayed with the same numbers', async () => {
      const found = await generate('--record', at('routes.jsonl'));
      const [head = '', first = '', ...rest] = readFileSync(at('routes.jsonl'), 'utf8').trimEnd().split('\n');
      const { table, ...whose } = JSON.parse(head) as { table: string };
      assert.deepEqual(whose, { format: 'radial-routes', model: 'gated', blocks: 4 });
      assert.match(table, /^[0-9a-f]{64}$/);
      assert.deepEqual(Object.keys(JSON.parse(first) as object), ['position', 'id', 'path']);
      // Seven tokens of the prompt, and all that were generated but the last, which went through no block.
      assert.equal(1 + rest.length, 7 + 7);
      assert.deepEqual(await generate('--replay', at('routes.jsonl'), '--threshold', '0.9'), found);
      // The same walks through a program without gates.
      await ok('compile', at('gated'), '-o', at('out-led'), '--route', 'external');
      const led = await okJson<Generated>('run', at('out-led'), ...prompt, '--replay', at('routes.jsonl'));
      assert.deepEqual(led, found);
      await ok('run', at('out-gated'), ...prompt, '--record', at('routes.jsonl'));
    });

    it('belong to a model, however it is compiled, and to no other', async () => {
      const found = await generate('--record', at('mine.jsonl'));
      for (const [level, ...more] of [['O0'], ['O1', '--route', 'external', '--context-window-size', '24'], ['O2']]) {
        const args = ['run', at('gated'), ...prompt, '-O', level ?? '', ...more, '--replay', at('mine.jsonl')];
        assert.deepEqual((await okJson<Generated>(...args)).path, found.path, level);
      }
      await ok('compile', at('gated'), '-o', at('out-plain'), '-O', 'O0', '--route', 'external');
      await ok('run', at('out-plain'), ...prompt, '--replay', at('mine.jsonl'));
      await ok('run', at('out-plain'), ...prompt, '--record', at('again.jsonl'));
      const [head = '', ...lines] = readFileSync(at('mine.jsonl'), 'utf8').split('\n');
      const tableOf = (text: string): unknown => (JSON.parse(text) as { table: unknown }).table;
      assert.equal(tableOf(readFileSync(at('again.jsonl'), 'utf8').split('\n')[0] ?? ''), tableOf(head));
      await checkpoint(at('stranger'), { config: endless, seed: 8 });
      const stranger = ['run', at('stranger'), '--route', 'external', ...prompt, '--replay'];
      const stderr = await fails('RC1016', ...stranger, at('mine.jsonl'));
      assert.match(stderr, /of another model, "gated"[^]*help: /);
      // Older files do not say so much.
      const { table: _, ...older } = JSON.parse(head) as { table: string };
      writeFileSync(at('older.jsonl'), [JSON.stringify(older), ...lines].join('\n'));
      await ok(
        'run',
        at('stranger'),
        '--route',
        'external',
        '--prompt',
        'the cat',
        '-n',
        '1',
        '--replay',
        at('older.jsonl'),
      );
    });

    it('can be forced to a depth', async () => {
      const { path } = await generate('--force-depth', '2');
      assert.ok(path.every((walk) => walk.join() === '0,1'));
      await fails('RC0920', 'run', at('out'), ...prompt, '--force-depth', '2');
    });

    it('guide the compiler: blocks that follow one another become a trace, with the same results', async () => {
      const found = await generate('--threshold', '0', '--record', at('open.jsonl'));
      await ok('compile', at('gated'), '-o', at('out-traced'), '--routes', at('open.jsonl'));
      assert.match(await ok('inspect', at('out-traced'), '--ir', 'kernels'), /^trace \^0 -> \[\^1\.\.\^3\]/m);
      assert.deepEqual(await okJson('run', at('out-traced'), ...prompt, '--threshold', '0'), found);
      assert.deepEqual(await okJson('run', at('out-traced'), ...prompt), await generate());
      await checkpoint(at('wider'), { config: { ...endless, num_hidden_layers: 3 } });
      await fails('RC1017', 'compile', at('gated'), '-o', at('out-traced'), '-O1', '--routes', at('open.jsonl'));
      await fails('RC0610', 'inspect', at('wider'), '--routes', at('open.jsonl'));
      writeFileSync(at('none.jsonl'), `${JSON.stringify({ format: 'radial-routes', model: 'gated', blocks: 4 })}\n`);
      await fails('RC1015', 'compile', at('gated'), '-o', at('out-none'), '--routes', at('none.jsonl'));
      assert.equal(existsSync(at('out-none')), false);
    });

    it('tell how many bytes of KV cache a token takes', async () => {
      const bytesOf = async (...args: string[]): Promise<number | undefined> =>
        (await okJson<{ kv: { bytesPerTokenExpected?: number } }>('inspect', at('out-gated'), ...args)).kv
          .bytesPerTokenExpected;
      assert.equal(await bytesOf(), undefined);
      const walks = [[0, 1, 2, 3], [0, 1], [0, 3], [0]];
      const lines = walks.map((path, position) => JSON.stringify({ position, id: 1, path }));
      writeFileSync(
        at('four.jsonl'),
        [JSON.stringify({ format: 'radial-routes', model: 'gated', blocks: 4 }), ...lines].join('\n'),
      );
      // K and V in f32; under `project` a token that skips an attention block leaves an entry there all the same.
      const entry = 2 * optConfig.hidden_size * 4;
      assert.equal(await bytesOf('--routes', at('four.jsonl')), 2 * entry);
      assert.match(await ok('inspect', at('out-gated'), '--routes', at('four.jsonl')), /on the recorded routes 256 B/);
      await ok('compile', at('gated'), '-o', at('out-absent'), '--kv', 'absent');
      const { kv } = await okJson<{ kv: { bytesPerTokenExpected: number } }>(
        ...(['inspect', at('out-absent'), '--routes', at('four.jsonl')] as const),
      );
      assert.equal(kv.bytesPerTokenExpected, (5 / 4) * entry);
    });

    it('are refused where they are not routes, or of something else', async () => {
      writeFileSync(at('bad.jsonl'), 'no json\n');
      await fails('RC1015', 'run', at('out-gated'), ...prompt, '--replay', at('bad.jsonl'));
      writeFileSync(at('bad.jsonl'), new Uint8Array([0xff, 0xfe]));
      await fails('RC1015', 'run', at('out-gated'), ...prompt, '--replay', at('bad.jsonl'));
      const [head = '', ...lines] = readFileSync(at('routes.jsonl'), 'utf8').trimEnd().split('\n');
      const bad = {
        RC1015: [
          [head, ...lines.slice(1)],
          [head, '{"position":0,"id":2}'],
          [head, '{"position":0,"id":2,"path":["a"]}'],
        ],
        RC1016: [
          [head.replace('4', '6'), ...lines],
          [head, ...lines.map((line) => line.replace(/"id":\d+/, '"id":0'))],
        ],
        RC0924: [[head, ...lines.map((line) => line.replace(/"path":\[/, '"path":[9,'))]],
      };
      for (const [code, texts] of Object.entries(bad)) {
        for (const text of texts) {
          writeFileSync(at('bad.jsonl'), text.join('\n'));
          await fails(code, 'run', at('out-gated'), ...prompt, '--replay', at('bad.jsonl'));
        }
      }
      writeFileSync(at('mine.txt'), 'mine');
      await fails('RC1208', 'run', at('out-gated'), ...prompt, '--record', at('mine.txt'));
      assert.equal(readFileSync(at('mine.txt'), 'utf8'), 'mine');
    });
  });
});
