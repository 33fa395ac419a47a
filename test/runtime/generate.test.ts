/** @file Generation: options, stops, aborts, routes, and who may use a model when. */
import assert from 'node:assert/strict';
import type { GeneratedToken } from '../../runtime/index.ts';
import { CONTEXT, hasCode, toyGreedy, toyModel } from './toy.ts';

async function collect(iterable: AsyncIterable<GeneratedToken>): Promise<readonly GeneratedToken[]> {
  const tokens: GeneratedToken[] = [];
  for await (const token of iterable) tokens.push(token);
  return tokens;
}

const idsOf = (tokens: readonly GeneratedToken[]): readonly number[] => tokens.map(({ id }) => id);
const textOf = (tokens: readonly GeneratedToken[]): string => tokens.map(({ text }) => text).join('');

/** Prompts whose greedy continuation is known: each new id doubles the sum, so 1 leads to 1, 2, 4, 8, 0, 0, … */
describe('generate', () => {
  it('is greedy, with depth, path and text', async () => {
    const model = await toyModel();
    const tokens = await collect(model.generate([1], { maxNewTokens: 6 }));
    assert.deepEqual(idsOf(tokens), toyGreedy([1], 6));
    assert.deepEqual(tokens[0], { id: 1, text: '1', depth: 4, path: [0, 1, 2, 3] });
    assert.equal(textOf(tokens), '124800');
  });

  it('takes prompts of all lengths around the chunk', async () => {
    const model = await toyModel();
    for (const length of [1, 3, 4, 5, 8, 9, CONTEXT - 3]) {
      const prompt = Array.from({ length }, (_, i) => (i * 5 + 3) % 16);
      assert.deepEqual(idsOf(await collect(model.generate(prompt, { maxNewTokens: 3 }))), toyGreedy(prompt, 3));
    }
  });

  it('takes a text, typed arrays, and fills the context by default', async () => {
    const model = await toyModel();
    assert.deepEqual(idsOf(await collect(model.generate('1', { maxNewTokens: 4 }))), [1, 2, 4, 8]);
    assert.deepEqual(idsOf(await collect(model.generate(Int32Array.of(1), { maxNewTokens: 2 }))), [1, 2]);
    assert.equal((await collect(model.generate([1]))).length, CONTEXT - 1);
    assert.deepEqual(await collect(model.generate([1], { maxNewTokens: 0 })), []);
  });

  it('starts a text with the start token where the program has one', async () => {
    const model = await toyModel({ tokens: { bos: 3, addBos: true } });
    assert.deepEqual(await model.encode('1a'), [3, 1, 11]);
    assert.deepEqual(idsOf(await collect(model.generate('', { maxNewTokens: 2 }))), toyGreedy([3], 2));
  });

  it('ends with a token that ends a text', async () => {
    const model = await toyModel({ tokens: { eos: [8, 5] } });
    assert.deepEqual(idsOf(await collect(model.generate([1], { maxNewTokens: 9 }))), [1, 2, 4, 8]);
    assert.equal((await collect(model.generate([1], { maxNewTokens: 9, ignoreEos: true }))).length, 9);
  });

  it('stops before a stop string that spans tokens', async () => {
    const model = await toyModel();
    const run = async (stop: string | string[]): Promise<string> =>
      textOf(await collect(model.generate([1], { maxNewTokens: 8, stop })));
    assert.equal(await run('48'), '12');
    assert.equal(await run(['800', '24']), '1');
    assert.equal(await run('1'), '');
    assert.equal(await run('49'), '12480000');
    assert.equal(await run('00001'), '12480000');
  });

  it('holds incomplete characters back', async () => {
    const model = await toyModel({
      change: (wat) =>
        wat
          .replace('(i32.rem_s', '(i32.add (i32.const 14) (i32.rem_u')
          .replace(`(i32.const 16)))\n          (then`, `(i32.const 2))))\n          (then`),
    });
    // The next token is 14 or 15 as the sum is even or odd: bytes C3 and A9.
    const tokens = await collect(model.generate([0], { maxNewTokens: 4 }));
    assert.deepEqual(idsOf(tokens), [14, 14, 14, 14]);
    assert.equal(textOf(tokens), '\ufffd\ufffd\ufffd\ufffd');
    assert.equal(tokens[0]?.text, '');
    const odd = await collect(model.generate([1, 14], { maxNewTokens: 3 }));
    assert.deepEqual(idsOf(odd), [15, 14, 14]);
    assert.equal(odd[0]?.text, 'é');
  });

  it('samples the same tokens from the same seed', async () => {
    const model = await toyModel();
    const sample = async (seed: number): Promise<readonly number[]> =>
      idsOf(await collect(model.generate([1], { maxNewTokens: 20, temperature: 4, seed })));
    assert.deepEqual(await sample(7), await sample(7));
    assert.notDeepEqual(await sample(7), await sample(8));
    assert.deepEqual(
      idsOf(await collect(model.generate([1], { maxNewTokens: 4, temperature: 4, topK: 1 }))),
      [1, 2, 4, 8],
    );
    assert.deepEqual(
      idsOf(await collect(model.generate([1], { maxNewTokens: 4, temperature: 1, topP: 0.1 }))),
      [1, 2, 4, 8],
    );
  });

  it('applies routes to the prompt and to new tokens', async () => {
    const model = await toyModel({ routed: true });
    const [first] = await collect(model.generate([1], { maxNewTokens: 1 }));
    assert.deepEqual(first, { id: 11, text: 'a', depth: 4, path: [0, 1, 2, 3] });
    const walked = await collect(model.generate([1], { maxNewTokens: 3, route: { walk: [[0], [1, 1, 3]] } }));
    // 1 + 1 = 2; 2 + 2 + 2 + 2 + 4 = 12; 12 + 12 + 10 = 34.
    assert.deepEqual(
      walked.map(({ id, path }) => [id, path]),
      [
        [2, [0]],
        [12, [1, 1, 3]],
        [2, [0, 1, 2, 3]],
      ],
    );
    const asked: [number, number][] = [];
    const route = (position: number, id: number): readonly number[] | undefined => {
      asked.push([position, id]);
      return position === 2 ? [] : undefined;
    };
    await collect(model.generate([1, 2], { maxNewTokens: 2, route }));
    assert.deepEqual(asked, [
      [0, 1],
      [1, 2],
      [2, 7],
    ]);
  });

  it('can be left and started again', async () => {
    const model = await toyModel();
    for await (const { id } of model.generate([1])) {
      if (id === 2) break;
    }
    assert.deepEqual(idsOf(await collect(model.generate([1], { maxNewTokens: 2 }))), [1, 2]);
  });

  it('refuses a second call while one is under way', async () => {
    const model = await toyModel();
    const running = model.generate([1]);
    await running.next();
    await assert.rejects(model.generate([1]).next(), hasCode('RC0908'));
    await assert.rejects(model.forward([1]), hasCode('RC0908'));
    await running.return();
    assert.equal((await model.forward([1])).logits.length, 1);
  });

  it('stops at an abort, between tokens too', async () => {
    const model = await toyModel();
    const controller = new AbortController();
    const seen: number[] = [];
    const run = async (): Promise<void> => {
      for await (const { id } of model.generate([1], { signal: controller.signal })) {
        seen.push(id);
        if (seen.length === 3) setImmediate(() => controller.abort());
      }
    };
    await assert.rejects(run(), { name: 'AbortError' });
    assert.ok(seen.length < CONTEXT - 1);
    await assert.rejects(model.generate([1], { signal: AbortSignal.abort() }).next(), { name: 'AbortError' });
    assert.equal((await collect(model.generate([1], { maxNewTokens: 2 }))).length, 2);
  });

  it('ends when it is disposed of', async () => {
    const model = await toyModel();
    const running = model.generate([1]);
    await running.next();
    model.dispose();
    await assert.rejects(running.next(), hasCode('RC0909'));
    await assert.rejects(model.generate([1]).next(), hasCode('RC0909'));
    await assert.rejects(model.forward([1]), hasCode('RC0909'));
    await assert.rejects(model.encode('1'), hasCode('RC0909'));
    model.dispose();
    await model[Symbol.asyncDispose]();
  });

  it('refuses bad options', async () => {
    const model = await toyModel();
    const refuses = async (options: object, code: string, message?: RegExp): Promise<void> => {
      await assert.rejects(model.generate([1], options).next(), hasCode(code, message));
    };
    await refuses({ max_new_tokens: 3 }, 'RC0901', /did you mean "maxNewTokens"/);
    await refuses({ temprature: 3 }, 'RC0901', /did you mean "temperature"/);
    await refuses({ zzzzzzzzzzzz: 3 }, 'RC0901', /options are maxNewTokens/);
    await refuses([], 'RC0902');
    for (const maxNewTokens of [-1, 1.5, NaN, '3', null]) await refuses({ maxNewTokens }, 'RC0902');
    for (const temperature of [-1, NaN, Infinity, '1']) await refuses({ temperature }, 'RC0902');
    await refuses({ temperature: 1, topK: 0 }, 'RC0902');
    await refuses({ temperature: 1, topP: 1.1 }, 'RC0902');
    await refuses({ topP: 0.5 }, 'RC0902', /temperature/);
    await refuses({ seed: -1 }, 'RC0902');
    await refuses({ stop: '' }, 'RC0902');
    await refuses({ stop: [3] }, 'RC0902');
    await refuses({ ignoreEos: 1 }, 'RC0902');
    await refuses({ signal: {} }, 'RC0902');
    await refuses({ route: { walk: [[0]] } }, 'RC0920');
  });

  it('refuses bad prompts', async () => {
    const model = await toyModel();
    const refuses = async (prompt: unknown, code: string, message?: RegExp): Promise<void> => {
      await assert.rejects(model.generate(prompt as number[], { maxNewTokens: 1 }).next(), hasCode(code, message));
    };
    await refuses([], 'RC0903');
    await refuses('', 'RC0903');
    await refuses(undefined, 'RC0907');
    await refuses([16], 'RC0904', /0 to 15/);
    for (const id of [-1, 1.5, NaN, '1', null, 2 ** 40]) await refuses([1, id], 'RC0904', /token 1/);
    await refuses(new Array(3), 'RC0904');
    await refuses(
      Array.from({ length: CONTEXT + 1 }, () => 1),
      'RC0905',
      /25 tokens, the context 24/,
    );
    await assert.rejects(model.generate([1, 2], { maxNewTokens: 23 }).next(), hasCode('RC0905', /at most 22/));
    await assert.rejects(model.generate(Array.from({ length: CONTEXT }, () => 1)).next(), hasCode('RC0905'));
    await refuses({ pixelValues: [] }, 'RC0907');
  });

  it('needs a tokenizer for texts and stop strings', async () => {
    const model = await toyModel({ tokenizer: [] });
    assert.equal(textOf(await collect(model.generate([1], { maxNewTokens: 2 }))), '');
    await assert.rejects(model.generate('1').next(), hasCode('RC0910'));
    await assert.rejects(model.generate([1], { stop: 'x' }).next(), hasCode('RC0910'));
    const bad = await toyModel({
      tokenizer: [{ file: 'tokenizer.json', bytes: new TextEncoder().encode('{"model":3}') }],
    });
    await assert.rejects(bad.generate('1').next(), hasCode('RC0815'));
  });

  it('tells of a program that stops', async () => {
    const model = await toyModel({
      change: (wat) => wat.replace('(param $position i32)', '(param $position i32) unreachable'),
    });
    await assert.rejects(collect(model.generate([1])), hasCode('RC0912', /unreachable/));
    assert.equal((await model.forward([1])).logits.length, 1);
  });

  it('tells of a program that changes the size of its memory', async () => {
    const grow = (amount: number) => (wat: string) =>
      wat
        .replace('(memory (export "memory") 1 1)', '(memory (export "memory") 1 4)')
        .replace('(param $position i32)', `(param $position i32) (drop (memory.grow (i32.const ${amount})))`);
    for (const amount of [0, 1]) {
      const model = await toyModel({ change: grow(amount) });
      await assert.rejects(collect(model.generate([1])), hasCode('RC0814', /--> model\.wasm/));
      await assert.rejects(model.forward([1]), hasCode('RC0814', /changed the size of its memory/));
    }
  });

  it('tells of logits that are not numbers', async () => {
    const model = await toyModel({
      change: (wat) =>
        wat
          .replace('(f32.const 10)', '(f32.const nan)')
          .replace('(f32.load offset=8192', '(f32.mul (f32.const nan) (f32.load offset=8192')
          .replace('(i32.const 4))))\n        (if', '(i32.const 4)))))\n        (if'),
    });
    await assert.rejects(model.generate([1]).next(), hasCode('RC0911'));
    await assert.rejects(model.generate([1], { temperature: 1 }).next(), hasCode('RC0911'));
  });
});

describe('forward', () => {
  it('gives the logits of all positions, in both modes', async () => {
    const model = await toyModel({ routed: true });
    const ids = [3, 1, 4, 1, 5, 9, 2, 6, 5];
    const prefill = await model.forward(ids);
    const decode = await model.forward(ids, { mode: 'decode' });
    assert.equal(prefill.logits.length, ids.length);
    assert.deepEqual(prefill, decode);
    assert.deepEqual(
      prefill.depth,
      ids.map(() => 4),
    );
    const some = await model.forward(ids, { positions: [0, 3, 4, 5, 8] });
    assert.deepEqual(
      some.logits,
      [0, 3, 4, 5, 8].map((position) => prefill.logits[position]),
    );
    assert.deepEqual((await model.forward(ids, { positions: [] })).logits, []);
  });

  it('mixes chunks and single tokens where walks lead backwards', async () => {
    const model = await toyModel({ routed: true });
    const ids = [3, 1, 4, 1, 5, 9, 2, 6, 5];
    const walk = [[0, 1], [1], [2, 2], [3], [1, 1, 3], [0], [0, 3], [], [1, 3]];
    const prefill = await model.forward(ids, { route: { walk } });
    assert.deepEqual(prefill, await model.forward(ids, { route: { walk }, mode: 'decode' }));
    assert.deepEqual(prefill.path, walk);
    const mask = [0, 1, 2, 3].map((block) => walk.map((blocks) => (blocks.includes(block) ? 1 : 0)));
    const masked = await model.forward(ids, { route: { mask } });
    assert.deepEqual(masked.path[2], [2]);
    assert.deepEqual(masked.depth, [2, 1, 1, 1, 2, 1, 2, 0, 2]);
  });

  it('refuses bad calls', async () => {
    const model = await toyModel({ routed: true });
    const refuses = async (input: unknown, options: object, code: string): Promise<void> => {
      await assert.rejects(model.forward(input as number[], options), hasCode(code));
    };
    await refuses([1], { mod: 'decode' }, 'RC0901');
    await refuses([1], { mode: 'x' }, 'RC0902');
    for (const positions of [[1], [-1], [0, 0], [0.5], new Array(1), 'all']) {
      await refuses([1], { positions }, 'RC0902');
    }
    await refuses('text', {}, 'RC0907');
    await refuses({ pixelValues: [1] }, {}, 'RC0907');
    await refuses(null, {}, 'RC0907');
    await refuses(
      Array.from({ length: CONTEXT + 1 }, () => 1),
      {},
      'RC0905',
    );
    await refuses([1], { route: { walk: [[9]] } }, 'RC0924');
    await assert.rejects(model.forward([1], { signal: AbortSignal.abort() }), { name: 'AbortError' });
  });

  it('decodes ids to text', async () => {
    const model = await toyModel();
    assert.equal(await model.decode([1, 10, 14, 15, 11]), '1 éa');
    assert.equal(await model.decode([]), '');
    for (const ids of [null, undefined, 5, '', {}]) {
      await assert.rejects(model.decode(ids as number[]), hasCode('RC0907'));
    }
    await assert.rejects(model.decode(new Array<number>(1)), hasCode('RC0904'));
  });

  it('encodes texts only', async () => {
    const model = await toyModel({ tokens: { bos: 2, addBos: true } });
    assert.deepEqual(await model.encode(''), [2]);
    for (const text of [5, [], null, undefined, {}]) {
      await assert.rejects(model.encode(text as string), hasCode('RC0907'));
    }
  });
});
