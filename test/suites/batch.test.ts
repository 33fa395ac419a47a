/**
 * @file Several sequences in one program: each gets, bit for bit, what it gets alone in a program of its own, whoever else is
 * there, in whatever order, and whenever others join and leave. A failure prints the seed.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createInterpreter, hasLearnedRouters } from '../../ir/index.ts';
import type { KvPolicy, Network, RevisitRule } from '../../ir/index.ts';
import { passesNamed, runPasses } from '../../passes/index.ts';
import { lower } from '../../passes/kernel/lower.ts';
import { createRoutes } from '../../runtime/index.ts';
import { hasCode } from '../runtime/toy.ts';
import { alone, programFor, together } from '../support/batches.ts';
import type { Job } from '../support/batches.ts';
import { narrowed, randomInputs } from '../support/compare-networks.ts';
import { largestDifference } from '../support/compiled.ts';
import { Draw } from '../support/draw.ts';
import { randomNetwork } from '../support/random-network.ts';
import { randomWalks } from '../support/random-walks.ts';
import { noWeights, tinyNetwork } from '../support/tiny.ts';

const policies: readonly KvPolicy[] = ['absent', 'project', 'latest'];
const revisits: readonly RevisitRule[] = ['overwrite', 'append'];
const RUNS = 10;

function routersOf({ entry, blocks }: Network): ReadonlySet<string | undefined> {
  return new Set([entry, ...blocks].map(({ edge }) => edge.router?.kind));
}

/** Sequences of different lengths; where routers decide, walks for some of the tokens, and otherwise for all. */
function jobsOf(network: Network, seed: number, count: number): readonly Job[] {
  const decides = hasLearnedRouters(network);
  return Array.from({ length: count }, (_, n) => {
    const { values, walks } = randomInputs(network, 100 * seed + n);
    const led = randomWalks(network, values.length, 100 * seed + n);
    return { ids: Array.from(values), walks: walks.map((walk, t) => (decides ? walk : led[t])) };
  });
}

/** Compares jobs in random company, twice, with the same jobs alone. */
async function check(network: Network, seed: number, given: readonly Job[], sequences: number): Promise<void> {
  const [one, many] = [await programFor(network, 1), await programFor(network, sequences)];
  // Passes may leave no router of those that have nothing to choose; then every token has a walk.
  const { defaultWalk } = createRoutes(one.info.routing);
  const jobs = given.map((job) => ({ ...job, walks: job.walks.map((walk) => walk ?? defaultWalk) }));
  const expected = jobs.map((job) => alone(one, job));
  for (const order of [1, 2]) {
    const found = together(many, jobs, new Draw(seed + order));
    jobs.forEach((_, n) => {
      assert.deepEqual(found[n]?.walks, expected[n]?.walks, `seed ${seed}, sequence ${n}`);
      assert.deepEqual(found[n]?.logits, expected[n]?.logits, `seed ${seed}, sequence ${n}`);
    });
  }
}

/** The first networks from a seed on that have such a router, one that weighs and one that does not. */
function networksWith(router: string, kv: KvPolicy, revisit: RevisitRule): readonly (readonly [number, Network])[] {
  const found: (readonly [number, Network])[] = [];
  for (let seed = 1; found.length < 2; seed++) {
    const network = randomNetwork(seed, { task: 'causal-lm', routed: true, learned: true, kv, revisit });
    const weighs = ({ routing }: Network): boolean => routing.weighting === 'probability';
    const isOther = found.every(([, other]) => weighs(other) !== weighs(network));
    if (isOther && network.blocks.length > 2 && routersOf(network).has(router)) found.push([seed, network]);
  }
  return found;
}

describe('sequences together compute what each computes alone', () => {
  for (const learned of [false, true]) {
    it(`random networks ${learned ? 'that decide' : 'on given walks'}`, async function () {
      this.timeout(120_000);
      await fc.assert(
        fc.asyncProperty(fc.noShrink(fc.nat()), async (seed) => {
          const drawn = randomNetwork(seed, { task: 'causal-lm', learned, ...(learned && { routed: true }) });
          const network = narrowed(drawn, seed % 2 === 0 ? undefined : 'all');
          await check(network, seed, jobsOf(network, seed, 6), 2 + (seed % 3));
        }),
        { numRuns: RUNS },
      );
    });
  }

  it('a network without routes', async () => {
    const network = tinyNetwork({ layers: 3 });
    await check(network, 3, jobsOf(network, 3, 7), 3);
  });

  for (const kv of policies) {
    for (const revisit of revisits) {
      it(`walks with reuse under ${kv}, ${revisit}, as interpreted`, async () => {
        const network = tinyNetwork({ layers: 3, kvHeads: 1, routed: true, routing: { kv, revisit, maxHops: 9 } });
        const jobs = [9, 1, 14, 5, 11].map((tokens, n): Job => {
          const ids = Array.from({ length: tokens }, (_, t) => (7 * t + 5 * n + 3) % 24);
          return { ids, walks: randomWalks(network, tokens, 40 + n) };
        });
        assert.ok(jobs.some(({ walks }) => walks.some((walk) => new Set(walk).size < (walk?.length ?? 0))));
        await check(network, 5, jobs, 3);
        const interpreter = createInterpreter(network, noWeights);
        const found = together(await programFor(network, 4), jobs, new Draw(9));
        jobs.forEach(({ ids, walks }, n) => {
          const { logits } = interpreter.runTokens(ids, { walks });
          assert.ok(largestDifference(found[n]?.logits ?? [], logits) < 3e-4, `sequence ${n}`);
        });
      });

      for (const router of ['hub', 'gate']) {
        it(`networks with a ${router} under ${kv}, ${revisit}`, async () => {
          for (const [seed, network] of networksWith(router, kv, revisit)) {
            await check(network, seed, jobsOf(network, seed, 6), 4);
          }
        });
      }
    }
  }

  it('as many sequences as a program can hold, and one of them in every place', async () => {
    const network = tinyNetwork({ routed: true, routing: { kv: 'latest', revisit: 'append', maxHops: 8 } });
    const [one, many] = [await programFor(network, 1), await programFor(network, 16)];
    const job: Job = { ids: [3, 1, 4, 1, 5], walks: randomWalks(network, 5, 8) };
    const expected = alone(one, job);
    const found = together(
      many,
      Array.from({ length: 40 }, () => job),
      new Draw(4),
    );
    for (const outcome of found) assert.deepEqual(outcome.logits, expected.logits);
  });

  it('more sequences than tokens in a chunk, none, several images, or several with an oracle are refused (RC0612)', () => {
    const oracle = runPasses(tinyNetwork(), passesNamed(['radialize']), { options: { route: 'oracle_input' } }).module;
    assert(oracle.stage === 'network');
    assert.throws(() => lower.run(oracle, { options: { sequences: 2 } }), hasCode('RC0612', /from 1 to 1/));
    const [text, image] = [tinyNetwork(), randomNetwork(1, { task: 'image-classification', routed: false })];
    for (const sequences of [0, 5, 1.5]) {
      assert.throws(() => lower.run(text, { options: { chunk: 4, sequences } }), hasCode('RC0612', /from 1 to 4/));
    }
    assert.throws(() => lower.run(image, { options: { sequences: 2 } }), hasCode('RC0612', /from 1 to 1/));
    assert.equal(lower.run(text, { options: { chunk: 4, sequences: 4 } }).sequences, 4);
  });
});
