/** @file Many prompts at a time: each gets what `generate` gives it alone, in programs for few, for more, for one. */
import assert from 'node:assert/strict';
import type { Network } from '../../ir/index.ts';
import type {
  GenerateManyOptions,
  GenerateOptions,
  GeneratedToken,
  RadialModel,
  SequenceToken,
  Walk,
} from '../../runtime/index.ts';
import { compiledNetwork } from '../support/compiled.ts';
import { randomNetwork } from '../support/random-network.ts';
import { randomWalks } from '../support/random-walks.ts';
import { tinyNetwork } from '../support/tiny.ts';
import { hasCode, toyModel } from './toy.ts';

type Prompt = string | readonly number[];

/** What each prompt gets, in the order of prompts. */
async function together(
  model: RadialModel,
  prompts: readonly Prompt[],
  options: GenerateManyOptions,
): Promise<readonly (readonly GeneratedToken[])[]> {
  const found: GeneratedToken[][] = prompts.map(() => []);
  const ended = new Set<number>();
  for await (const { sequence, last, ...token } of model.generateMany(prompts, options)) {
    assert.ok(!ended.has(sequence));
    if (last) ended.add(sequence);
    found[sequence]?.push(token);
  }
  assert.equal(ended.size, found.filter((tokens) => tokens.length > 0).length);
  return found;
}

async function alone(model: RadialModel, prompt: Prompt, options: GenerateOptions): Promise<readonly GeneratedToken[]> {
  const tokens: GeneratedToken[] = [];
  for await (const token of model.generate(prompt, options)) tokens.push(token);
  return tokens;
}

async function modelFor(network: Network, sequences: number): Promise<RadialModel> {
  return (await compiledNetwork(network, { sequences, chunk: 6 })).model;
}

/** Shorter and longer than a chunk, more than there are places. */
const prompts = [7, 1, 13, 4, 6, 18, 2].map((length, n) =>
  Array.from({ length }, (_, i) => (i * (n + 3) + 5 * n) % 24),
);
const limits = [5, 9, 0, 3, 12, 1, 7];

describe('generateMany', () => {
  const walks = randomWalks(tinyNetwork({ routed: true, routing: { maxHops: 6 } }), 40, 3);
  const networks: readonly (readonly [string, Network, GenerateOptions['route']])[] = [
    ['a network without routes', tinyNetwork(), undefined],
    [
      'walks with reuse',
      tinyNetwork({ routed: true, routing: { kv: 'latest', revisit: 'append', maxHops: 6 } }),
      (position): Walk | undefined => (position % 4 === 3 ? undefined : walks[position]),
    ],
    [
      'walks that lead forward',
      tinyNetwork({ routed: true, routing: { kv: 'project' } }),
      (position, id): Walk => [0, 1, 2, 3].filter((block) => (position + block + id) % 3 > 0),
    ],
  ];
  for (const [what, network, route] of networks) {
    it(`gives each prompt what it gets alone: ${what}`, async () => {
      const one = await modelFor(network, 1);
      const expected: (readonly GeneratedToken[])[] = [];
      const seeds = prompts.map((_, n) => 11 * n);
      for (const [n, prompt] of prompts.entries()) {
        expected.push(await alone(one, prompt, { temperature: 1.5, seed: seeds[n], maxNewTokens: limits[n], route }));
      }
      for (const sequences of [1, 2, 3, 6]) {
        const model = await modelFor(network, sequences);
        const options = { temperature: 1.5, route };
        assert.deepEqual(await together(model, prompts, { ...options, seed: seeds, maxNewTokens: limits }), expected);
        // In another company and order, after whatever the call before has left.
        const order = [6, 0, 3, 5];
        assert.deepEqual(
          await together(
            model,
            order.map((n) => prompts[n] ?? []),
            { ...options, seed: order.map((n) => seeds[n] ?? 0), maxNewTokens: order.map((n) => limits[n] ?? 0) },
          ),
          order.map((n) => expected[n]),
        );
        assert.deepEqual(
          await alone(model, prompts[4] ?? [], { ...options, seed: seeds[4], maxNewTokens: limits[4] }),
          expected[4],
        );
      }
    });
  }

  for (const decides of ['sweep', 'hop'] as const) {
    it(`lets routers decide for each token of each sequence: ${decides}`, async () => {
      for (let [seed, found] = [1, 0]; found < 3; seed++) {
        const network = randomNetwork(seed, { task: 'causal-lm', routed: true, learned: true, oddNames: false });
        const one = await modelFor(network, 1);
        const { vocabulary, outputs } = one.info.shapes;
        if (one.info.routing.decides !== decides || outputs > vocabulary) continue;
        const many = await modelFor(network, 3);
        const short = [[0], [1, 0], [outputs - 1, 0, 1], [1], [0, 0]];
        const options = { maxNewTokens: 3, temperature: 2, seed };
        const expected: (readonly GeneratedToken[])[] = [];
        for (const prompt of short) expected.push(await alone(one, prompt, options));
        assert.deepEqual(await together(many, short, options), expected, `seed ${seed}`);
        found++;
      }
    });
  }

  it('steps as many sequences at a time as there are places, and puts the next where one has ended', async () => {
    const model = await modelFor(tinyNetwork(), 2);
    const seen: number[] = [];
    for await (const { sequence } of model.generateMany([[1], [2], [3], [4]], { maxNewTokens: [2, 4, 3, 1] })) {
      seen.push(sequence);
    }
    assert.deepEqual(seen, [0, 1, 0, 1, 1, 2, 1, 2, 2, 3]);
  });

  it('tells of routes and asks for them by sequence', async () => {
    const model = await modelFor(tinyNetwork({ routed: true }), 3);
    const told: string[] = [];
    const paths = new Map<number, readonly Walk[]>();
    const options: GenerateManyOptions = {
      maxNewTokens: 2,
      route: (_position, _id, sequence) => [sequence, 3],
      onRoute: (position, _id, path, sequence) => told.push(`${sequence}@${position}: ${path.join()}`),
    };
    for await (const { sequence, path } of model.generateMany([[1], [2, 4], [3]], options)) {
      paths.set(sequence, [...(paths.get(sequence) ?? []), path]);
    }
    assert.deepEqual(
      [0, 1, 2].map((sequence) => paths.get(sequence)),
      [0, 1, 2].map((sequence) => [
        [sequence, 3],
        [sequence, 3],
      ]),
    );
    assert.deepEqual(told.sort(), ['0@0: 0,3', '0@1: 0,3', '1@0: 1,3', '1@1: 1,3', '1@2: 1,3', '2@0: 2,3', '2@1: 2,3']);
  });

  it('takes texts, and gives texts', async () => {
    const model = await toyModel();
    const found = await together(model, ['1', [3, 4], '0'], { maxNewTokens: 4 });
    assert.deepEqual(
      found.map((tokens) => tokens.map(({ text }) => text).join('')),
      ['1248', '7\ufffdb8', '0000'],
    );
    assert.deepEqual(found[1], await alone(model, [3, 4], { maxNewTokens: 4 }));
    assert.deepEqual(await together(model, ['1', '1'], { maxNewTokens: 8, stop: '48' }), [
      await alone(model, '1', { maxNewTokens: 8, stop: '48' }),
      await alone(model, '1', { maxNewTokens: 8, stop: '48' }),
    ]);
    assert.deepEqual(await together(model, [], {}), []);
  });

  it('stops at an abort, also between the tokens of one step; can be left, and started again', async () => {
    const model = await modelFor(tinyNetwork(), 3);
    const controller = new AbortController();
    const seen: SequenceToken[] = [];
    const run = async (): Promise<void> => {
      for await (const token of model.generateMany([[1], [2], [3]], { signal: controller.signal })) {
        seen.push(token);
        if (seen.length === 4) controller.abort();
      }
    };
    await assert.rejects(run(), { name: 'AbortError' });
    assert.equal(seen.length, 4);
    const running = model.generateMany([[1], [2]]);
    await running.next();
    await assert.rejects(model.generateMany([[1]]).next(), hasCode('RC0908'));
    await assert.rejects(model.generate([1]).next(), hasCode('RC0908'));
    await running.return();
    const again = model.generateMany([[1]], { maxNewTokens: 3 });
    assert.equal((await again.next()).done, false);
    model.dispose();
    await assert.rejects(again.next(), hasCode('RC0909'));
  });

  it('refuses bad options and prompts, and says which prompt', async () => {
    const model = await toyModel();
    const refuses = async (given: unknown, options: object, code: string, message?: RegExp): Promise<void> => {
      await assert.rejects(model.generateMany(given as number[][], options).next(), hasCode(code, message));
    };
    await refuses([[1]], { maxTokens: 3 }, 'RC0901');
    await refuses([[1]], { sequences: 3 }, 'RC0901');
    await refuses([[1], [2]], { seed: [1] }, 'RC0902', /1 items, there are 2 prompts/);
    await refuses([[1], [2]], { maxNewTokens: [1, -1] }, 'RC0902');
    await refuses([[1], [2]], { maxNewTokens: [1, 30] }, 'RC0905', /--> prompt 1/);
    await refuses('text', {}, 'RC0907', /an array of texts/);
    await refuses([1, 2], {}, 'RC0907', /--> prompt 0/);
    await refuses([[1], []], {}, 'RC0903', /--> prompt 1/);
    await refuses([[1], [99]], {}, 'RC0904', /--> prompt 1/);
    // One prompt has one seed.
    await assert.rejects(model.generate([1], { seed: [1] } as object).next(), hasCode('RC0902'));
  });
});
