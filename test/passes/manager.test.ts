/** @file Running lists of passes: order, stopping, resuming, dumping, and what is said when it goes wrong. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseModule, printModule } from '../../ir/index.ts';
import type { Network } from '../../ir/index.ts';
import {
  allPasses,
  levelNamed,
  passCodes,
  passesNamed,
  pipelinePasses,
  pipelines,
  runPasses,
} from '../../passes/index.ts';
import type { NetworkPass } from '../../passes/index.ts';
import { diagnosticsOf } from '../support/error-files.ts';
import { tinyNetwork } from '../support/tiny.ts';

function codes(action: () => unknown): readonly string[] {
  return diagnosticsOf(action).map(({ code }) => code);
}

describe('runPasses', () => {
  it('reports what each pass did', () => {
    const { reports } = runPasses(tinyNetwork(), passesNamed(['dce', 'fuse-norm', 'fuse-qkv', 'fuse-norm']));
    assert.deepEqual(
      reports.map(({ n, name, changed, before, after }) => [n, name, changed, before.ops, after.ops]),
      [
        [1, 'dce', false, 28, 28],
        // The norms of the MLP blocks, which have one reader.
        [2, 'fuse-norm', true, 28, 26],
        [3, 'fuse-qkv', true, 26, 28],
        [4, 'fuse-norm', true, 28, 26],
      ],
    );
    assert(reports.every(({ milliseconds }) => milliseconds >= 0));
  });

  it('stops after a pass, by number or by name', () => {
    const passes = passesNamed(['cse', 'dce', 'cse', 'lower']);
    const names = (stopAfter: number | string): readonly string[] =>
      runPasses(tinyNetwork(), passes, { stopAfter }).reports.map(({ name }) => name);
    assert.deepEqual(names(0), []);
    assert.deepEqual(names(2), ['cse', 'dce']);
    assert.deepEqual(names('cse'), ['cse', 'dce', 'cse']);
  });

  it('dumps what it starts from and what each pass made, and goes on from any dump to the same end', () => {
    const dumps: { readonly n: number; readonly name: string; readonly text: string }[] = [];
    const passes = pipelinePasses('O2');
    const options = { route: 'external', kv: 'project' } as const;
    const end = printModule(
      runPasses(tinyNetwork(), passes, { options, dump: (n, name, text) => dumps.push({ n, name, text }) }).module,
    );
    assert.deepEqual(
      dumps.map(({ name }) => name),
      ['input', ...passes.map(({ name }) => name)],
    );
    assert.deepEqual(
      dumps.map(({ n }) => n),
      [...dumps.keys()],
    );
    for (const { n, text } of dumps) {
      const { module } = runPasses(parseModule(text, 'dump.rir'), passes, { options, startAfter: n });
      assert.equal(printModule(module), end);
    }
  });

  it('prints after the passes that are named', () => {
    const printed = (printAfter: readonly string[]): readonly string[] => {
      const names: string[] = [];
      runPasses(tinyNetwork(), passesNamed(['cse', 'dce']), { printAfter, print: (name) => names.push(name) });
      return names;
    };
    assert.deepEqual(printed(['dce']), ['dce']);
    assert.deepEqual(printed(['all']), ['cse', 'dce']);
  });

  it('refuses a pass that works on another stage (RC0602)', () => {
    assert.deepEqual(
      codes(() => runPasses(tinyNetwork(), passesNamed(['plan-memory']))),
      ['RC0602'],
    );
    assert.deepEqual(
      codes(() => runPasses(tinyNetwork(), passesNamed(['lower', 'cse']))),
      ['RC0602'],
    );
    assert.deepEqual(
      codes(() => runPasses(tinyNetwork(), passesNamed(['lower', 'lower']))),
      ['RC0602'],
    );
  });

  it('names the pass that broke an invariant, and shows the module (RC0603)', () => {
    const lossy: NetworkPass = {
      name: 'lossy',
      summary: 'Forgets the constants.',
      stage: 'network',
      run: (network): Network => ({ ...network, consts: [] }),
    };
    const [found] = diagnosticsOf(() => runPasses(tinyNetwork(), [...passesNamed(['dce']), lossy]));
    assert.equal(found?.code, 'RC0603');
    assert.match(found.message, /^after lossy the module is invalid: .*RC0505.*more/);
    assert.match(found.help ?? '', /bug of radialc[^]*network @tiny/);
  });

  it('does not start on an invalid module', () => {
    assert(codes(() => runPasses({ ...tinyNetwork(), context: 0 }, [])).includes('RC0501'));
  });

  it('refuses places that the list does not have (RC0604)', () => {
    const passes = passesNamed(['cse', 'dce']);
    for (const stopAfter of [3, -1, 0.5, 'lower']) {
      assert.deepEqual(
        codes(() => runPasses(tinyNetwork(), passes, { stopAfter })),
        ['RC0604'],
      );
    }
    const [found] = diagnosticsOf(() => runPasses(tinyNetwork(), passes, { startAfter: 'dde' }));
    assert.equal(found?.help, 'did you mean dce?');
  });

  it('refuses a hop cap that is none (RC0606)', () => {
    for (const maxHops of [0, 1.5, NaN]) {
      assert.deepEqual(
        codes(() => runPasses(tinyNetwork(), passesNamed(['radialize']), { options: { maxHops } })),
        ['RC0606'],
      );
    }
  });
});

describe('radialize', () => {
  const chain = (blocks: number): Network => {
    const network = tinyNetwork({ layers: 1 });
    const [, mlp] = network.blocks;
    assert(mlp !== undefined);
    const list = Array.from({ length: blocks }, (_, id) => ({
      ...mlp,
      id,
      edge: { router: null, successors: [id + 1 < blocks ? id + 1 : ('exit' as const)] },
    }));
    return { ...network, blocks: list };
  };
  const radialized = (blocks: number, route: 'external' | 'sequential'): Network => {
    const { module } = runPasses(chain(blocks), passesNamed(['radialize']), { options: { route } });
    assert(module.stage === 'network');
    return module;
  };

  it('makes no more successors than can be read again (RC0609)', () => {
    const { edge } = radialized(999, 'external').entry;
    assert.equal(edge.successors.length, 1000);
    for (const blocks of [1000, 20_000]) {
      const [found] = diagnosticsOf(() => radialized(blocks, 'external'));
      assert.deepEqual([found?.code, found?.help !== undefined], ['RC0609', true]);
    }
  });

  it('makes chains of any length, with hop caps that are allowed', () => {
    const { routing, blocks } = radialized(20_000, 'sequential');
    assert.deepEqual([routing.maxHops, blocks.at(-1)?.edge.successors], [20_000, ['exit']]);
  });
});

describe('passes by name', () => {
  it('are found, and have names of their own', () => {
    const names = allPasses.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
    assert.deepEqual(passesNamed(names), allPasses);
    assert(allPasses.every(({ summary }) => summary.endsWith('.')));
  });

  it('suggests the name that was meant (RC0601)', () => {
    const [found] = diagnosticsOf(() => passesNamed(['fuse-nrom']));
    assert.deepEqual([found?.code, found?.help], ['RC0601', 'did you mean fuse-norm?']);
    assert.deepEqual(
      codes(() => passesNamed(['constructor'])),
      ['RC0601'],
    );
  });
});

describe('levels', () => {
  it('are lists of names: network passes, lower, kernel passes', () => {
    for (const level of ['O0', 'O1', 'O2'] as const) {
      const { network, kernel } = pipelines[level];
      assert.deepEqual(
        pipelinePasses(level).map(({ name }) => name),
        [...network, 'lower', ...kernel],
      );
    }
  });

  it('are found with and without the dash (RC0605)', () => {
    assert.deepEqual([levelNamed('-O2'), levelNamed('O0')], ['O2', 'O0']);
    assert.deepEqual(
      codes(() => levelNamed('O9')),
      ['RC0605'],
    );
    assert.deepEqual(
      codes(() => levelNamed('toString')),
      ['RC0605'],
    );
  });
});

describe('codes of passes', () => {
  it('are those that the passes, and who runs them, use', () => {
    const root = fileURLToPath(new URL('../../', import.meta.url));
    const files = readdirSync(`${root}passes`, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.ts'),
    );
    const texts = [...files.map((name) => `passes/${name}`), 'compiler/build.ts'].map((name) =>
      readFileSync(root + name, 'utf8'),
    );
    const used = texts.flatMap((text) => text.match(/fail\(\s*'RC0[67]\d\d'/g) ?? []).map((call) => call.slice(-7, -1));
    assert.deepEqual([...new Set(used)].sort(), Object.keys(passCodes).sort());
  });
});
