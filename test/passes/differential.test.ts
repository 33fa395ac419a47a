/** @file Every pass, and every level, leaves what random networks compute as it was. A failure prints the seed. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { allPasses, passesNamed, pipelinePasses, runPasses } from '../../passes/index.ts';
import type { NetworkPass } from '../../passes/index.ts';
import { printModule } from '../../ir/text/print.ts';
import type { Network } from '../../ir/types.ts';
import {
  assertSameResults,
  narrowed,
  randomInputs,
  runNetwork,
  runProgram,
  speckled,
  toleranceOf,
} from '../support/compare-networks.ts';
import { randomNetwork } from '../support/random-network.ts';

const seeds = fc.noShrink(fc.nat());
const formats = [undefined, 'head', 'all'] as const;

function run(network: Network, passes: readonly NetworkPass[]): Network {
  const { module } = runPasses(network, passes);
  assert(module.stage === 'network');
  return module;
}

function randomWithWork(seed: number): Network {
  return randomNetwork(seed, { jumps: seed % 3 === 0, ...(seed % 2 === 0 ? { noise: 0.5 } : {}) });
}

/** What policy `latest` needs (RC0706). */
function hasOneKvShape(network: Network): boolean {
  const attentions = network.blocks.flatMap(({ body }) => body.ops.filter(({ kind }) => kind === 'attention'));
  return (
    new Set(
      attentions.map(({ type, attrs }) =>
        JSON.stringify([attrs['kv_heads'], Number(type.shape[1]) / Number(attrs['heads'])]),
      ),
    ).size <= 1
  );
}

describe('passes keep results', () => {
  for (const pass of allPasses) {
    if (pass.stage !== 'network') continue;
    it(pass.name, () => {
      fc.assert(
        fc.property(seeds, (seed) => {
          const network = randomWithWork(seed);
          const inputs = randomInputs(network, seed);
          assertSameResults(runNetwork(network, inputs), runNetwork(run(network, [pass]), inputs));
        }),
        { numRuns: 40 },
      );
    });
  }

  for (const level of ['O0', 'O1', 'O2'] as const) {
    it(`-${level}, down to kernels, where some ops read int8`, () => {
      fc.assert(
        fc.property(seeds, (seed) => {
          const network = speckled(randomWithWork(seed), seed);
          fc.pre(network.routing.kv !== 'latest' || hasOneKvShape(network));
          const inputs = randomInputs(network, seed);
          const { module } = runPasses(network, pipelinePasses(level), { options: { chunk: 1 + (seed % 5) } });
          assert(module.stage === 'kernel');
          assertSameResults(runNetwork(network, inputs), runProgram(module, inputs), toleranceOf('all'));
        }),
        { numRuns: 50 },
      );
    });

    it(`-${level}, down to kernels in planned memory`, () => {
      fc.assert(
        fc.property(seeds, (seed) => {
          const network = randomWithWork(seed);
          fc.pre(network.routing.kv !== 'latest' || hasOneKvShape(network));
          const inputs = randomInputs(network, seed);
          const options = { chunk: 1 + (seed % 5), int8: formats[seed % formats.length] };
          const { module } = runPasses(network, pipelinePasses(level), { options });
          assert(module.stage === 'kernel');
          const expected = runNetwork(narrowed(network, options.int8), inputs);
          assertSameResults(expected, runProgram(module, inputs), toleranceOf(options.int8));
        }),
        { numRuns: 50 },
      );
    });
  }
});

describe('a chain that was radialized', () => {
  for (const kv of ['absent', 'project', 'latest'] as const) {
    it(`runs as kernels the way it is interpreted, policy ${kv}`, () => {
      fc.assert(
        fc.property(seeds, (seed) => {
          const chain = randomNetwork(seed, { routed: false, task: 'causal-lm' });
          fc.pre(kv !== 'latest' || hasOneKvShape(chain));
          const options = { route: 'external', kv } as const;
          const network = runPasses(chain, passesNamed(['radialize']), { options }).module;
          const program = runPasses(chain, pipelinePasses('O2'), { options }).module;
          assert(network.stage === 'network' && program.stage === 'kernel');
          const inputs = randomInputs(network, seed);
          assertSameResults(runNetwork(network, inputs), runProgram(program, inputs));
          const sequential = { ...inputs, walks: [] };
          assertSameResults(runNetwork(chain, sequential), runProgram(program, sequential));
        }),
        { numRuns: 30 },
      );
    });
  }
});

describe('passes change nothing the second time', () => {
  for (const pass of allPasses) {
    if (pass.stage !== 'network') continue;
    it(pass.name, () => {
      fc.assert(
        fc.property(seeds, (seed) => {
          const once = run(randomWithWork(seed), [pass]);
          assert(run(once, [pass]) === once, printModule(once));
        }),
        { numRuns: 40 },
      );
    });
  }
});
