/**
 * @file Programs whose decoding runs along traces: bit for bit what the same programs do without them, wherever tokens go;
 * and, on random networks, what the interpreter does. A failure prints the seed.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { build } from '../../compiler/build.ts';
import type { RadialConfig } from '../../compiler/frontend/routers/radial-config.ts';
import { trafficOf } from '../../compiler/routing/index.ts';
import { createInterpreter } from '../../ir/index.ts';
import type { KernelProgram, KvPolicy, Network, Successor } from '../../ir/index.ts';
import type { Traffic } from '../../passes/index.ts';
import type { ForwardOptions, RadialModel } from '../../runtime/index.ts';
import { assertSameResults, outputsOf, randomInputs } from '../support/compare-networks.ts';
import { compiled, compiledNetwork } from '../support/compiled.ts';
import { Draw } from '../support/draw.ts';
import { randomNetwork } from '../support/random-network.ts';
import { randomWalks } from '../support/random-walks.ts';
import { checkpointFor, gates, hub, smallOpt, smallText, writeRouters } from '../support/routers.ts';
import { noWeights } from '../support/tiny.ts';

type Edge = Traffic['edges'][number];

const RUNS = 40;
const BLOCKS = 6;
const policies: readonly KvPolicy[] = ['absent', 'project', 'latest'];
const traceFrom = (...walk: readonly number[]): Traffic => ({
  blocks: BLOCKS,
  edges: trafficOf([walk], []).edges,
});

describe('traces', () => {
  const dir = checkpointFor(smallOpt);

  /** Decodes with and without traces. */
  const assertSame = async (plain: RadialModel, traced: RadialModel, options: ForwardOptions = {}): Promise<void> => {
    const [expected, found] = [
      await plain.forward(smallText, { ...options, mode: 'decode' }),
      await traced.forward(smallText, { ...options, mode: 'decode' }),
    ];
    assert.deepEqual(found.path, expected.path);
    assert.deepEqual(found.logits, expected.logits);
  };

  for (const kv of policies) {
    const routers: Readonly<Record<string, RadialConfig>> = {
      gates: { ...gates, kv },
      'a hub that appends': { ...hub, kv },
      'a hub that overwrites': { ...hub, kv, revisit: 'overwrite', anchors: 2 },
      'gates that weigh': { ...gates, kv, weighting: 'probability' },
      'a hub that weighs': { ...hub, kv, anchors: 2, weighting: 'probability' },
    };
    for (const [name, settings] of Object.entries(routers)) {
      it(`change nothing in the way of ${name}, under ${kv}`, async () => {
        writeRouters(dir, settings, smallOpt.hidden_size);
        const { model: plain, program: untraced } = await compiled({ input: dir });
        assert.equal(untraced.traces, undefined);
        const { path } = await plain.forward(smallText);
        // What most tokens do is one trace, what few do another: tokens follow, leave and enter them in the middle.
        for (const traffic of [traceFrom(0, 1, 2, 3, 4, 5), traceFrom(1, 3, 5), traceFrom(2, 4)]) {
          const { model, program } = await compiled({ input: dir, traffic });
          assert.deepEqual(program.traces?.length, 1);
          await assertSame(plain, model);
          await assertSame(plain, model, { route: { walk: path } });
          await assertSame(plain, model, { route: (position) => (position % 3 === 0 ? [0, 1, 4] : undefined) });
          for (const threshold of settings.router === 'gate' ? [0, 0.3, 1] : []) {
            await assertSame(plain, model, { threshold });
          }
        }
      });
    }

    it(`change nothing in the way of walks that lead anywhere, under ${kv}; at the hop cap too`, async () => {
      const request = { input: dir, route: 'external', kv, revisit: 'append', maxHops: 9 } as const;
      const { model: plain, network } = await compiledWithNetwork(request);
      const { model, program } = await compiled({ ...request, traffic: traceFrom(0, 1, 3, 2, 5, 4) });
      assert.deepEqual(program.traces?.[0]?.blocks, [0, 1, 3, 2, 5, 4]);
      for (const seed of [1, 2, 3]) {
        await assertSame(plain, model, { route: { walk: randomWalks(network, smallText.length, seed) } });
      }
      // Along the trace, past its end, and out at the cap in its middle.
      await assertSame(plain, model, { route: { walk: smallText.map(() => [0, 1, 3, 2, 5, 4, 0, 1, 3]) } });
    });
  }

  /** The edges of `route: external`: from everywhere to everywhere. */
  const compiledWithNetwork = async (
    request: Parameters<typeof compiled>[0],
  ): Promise<{ readonly model: RadialModel; readonly network: Network }> => {
    const built = await build(request);
    built.close();
    assert(built.network !== null);
    return { model: (await compiled(request)).model, network: built.network };
  };

  it('of random traffic, on random networks: compute what the interpreter computes', async function () {
    this.timeout(120_000);
    let traced = 0;
    await fc.assert(
      fc.asyncProperty(fc.noShrink(fc.nat()), async (seed) => {
        const network = randomNetwork(seed, { jumps: seed % 3 === 0 });
        if (network.task === 'image-classification') return;
        const untraced = await compiledNetwork(network);
        const { model, program } = await compiledNetwork(network, { traffic: randomTraffic(untraced.program, seed) });
        if (program.traces !== undefined) traced++;
        const inputs = randomInputs(network, seed);
        const values = Array.from(inputs.values, (id) => id % outputsOf(network));
        const { walks } = inputs;
        const { entry, blocks } = model.info.routing;
        const route = [entry, ...blocks].some(({ router }) => router !== null)
          ? (position: number) => walks[position]
          : undefined;
        const found = await model.forward(values, { mode: 'decode', route });
        const expected = createInterpreter(network, noWeights).runTokens(values, { walks });
        assertSameResults(expected, { logits: found.logits, paths: found.path });
      }),
      { numRuns: RUNS },
    );
    assert.ok(traced > RUNS / 10, `only ${traced} programs had traces`);
  });
});

/** Behind most blocks one edge is far busier than the others. */
function randomTraffic({ entry, blocks }: KernelProgram, seed: number): Traffic {
  const draw = new Draw(seed);
  const edgesOf = (from: Edge['from'], successors: readonly Successor[]): readonly Edge[] => {
    const busy = draw.chance(0.8) ? draw.int(0, successors.length - 1) : -1;
    return successors.map((to, i) => ({ from, to, tokens: i === busy ? 100 : draw.int(0, 9) }));
  };
  return {
    blocks: blocks.length,
    edges: [
      ...edgesOf('entry', entry.edge.successors),
      ...blocks.flatMap(({ id, edge }) => edgesOf(id, edge.successors)),
    ],
  };
}
