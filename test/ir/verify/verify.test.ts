/** @file What only modules made by code can have wrong, and how verifiers tell it. (Other faults have a file in test/errors.) */
import assert from 'node:assert/strict';
import { RadialError } from '../../../ir/diagnostics/diagnostic.ts';
import { printModule } from '../../../ir/text/print.ts';
import { parseModule } from '../../../ir/text/parse.ts';
import type { Const, Network } from '../../../ir/types.ts';
import { checkModule, verifyModule } from '../../../ir/verify/module.ts';
import { checkNetwork, verifyNetwork } from '../../../ir/verify/network.ts';
import { pipelinePasses, runPasses } from '../../../passes/index.ts';
import { randomNetwork } from '../../support/random-network.ts';

const network = randomNetwork(1, { task: 'causal-lm', oddNames: false, learned: false });

function withConst(constant: Const): Network {
  return { ...network, consts: [...network.consts, constant] };
}

function codes(module: Network): readonly string[] {
  return verifyNetwork(module).map(({ code }) => code);
}

describe('verifyNetwork', () => {
  it('finds numbers that are not finite', () => {
    const type = { dtype: 'f32', shape: [2] } as const;
    const constant = { name: '@nan', kind: 'full', operands: [], attrs: { value: NaN }, type } as const;
    assert.deepEqual(codes(withConst(constant)), ['RC0507']);
    assert.deepEqual(codes(withConst({ ...constant, kind: 'values', attrs: { data: [0, Infinity] } })), ['RC0507']);
    assert.deepEqual(codes({ ...network, context: NaN }).slice(0, 1), ['RC0501']);
  });

  it('collects all that is wrong, in the order of the invariants', () => {
    const [first] = network.blocks;
    assert(first !== undefined);
    const edge = { router: null, successors: [] };
    const faulty = { ...network, context: 0, blocks: [{ ...first, id: -1, edge }] };
    const found = codes(faulty);
    assert.deepEqual(found, found.toSorted());
    assert(found.includes('RC0501') && found.includes('RC0502') && found.includes('RC0515'));
  });

  it('bounds block numbers (RC0502)', () => {
    const [block] = network.blocks;
    assert(block !== undefined);
    for (const id of [65_536, 30_000_000, 2 ** 31, 0.5, NaN, -1]) {
      const faulty: Network = {
        ...network,
        entry: { ...network.entry, edge: { router: null, successors: [id] } },
        blocks: [{ ...block, id, edge: { router: null, successors: ['exit'] } }],
      };
      assert(codes(faulty).includes('RC0502'), String(id));
    }
  });

  it('bounds the successors of all edges together (RC0515)', () => {
    const [block] = network.blocks;
    assert(block !== undefined);
    const hub = (size: number): Network => {
      const successors = Array.from({ length: size }, (_, id) => id);
      const edge = { router: { kind: 'external' }, successors: [...successors, 'exit'] } as const;
      const blocks = successors.map((id) => ({ ...block, id, edge }));
      return { ...network, entry: { ...network.entry, edge }, blocks };
    };
    assert.deepEqual(codes(hub(999)), []);
    assert.deepEqual(codes(hub(1000)), ['RC0515']);
  });

  it('names the block and the value, and the file where it is known', () => {
    const faulty: Network = { ...network, exit: { ...network.exit, result: '%none' } };
    const [diagnostic] = verifyNetwork(faulty);
    assert.deepEqual(diagnostic?.place, { subject: 'exit' });
    const read = parseModule(printModule(faulty), 'x.rir');
    assert.throws(
      () => checkModule(read, 'x.rir'),
      (error) => {
        assert(error instanceof RadialError);
        const line = printModule(faulty).split('\n').indexOf('  yield %none') + 1;
        assert.deepEqual(error.diagnostics[0]?.place, { file: 'x.rir', line, column: 3, subject: 'exit' });
        return true;
      },
    );
    assert.doesNotThrow(() => checkNetwork(network));
  });
});

describe('verifyModule', () => {
  it('verifies what the passes make, and prints what cannot be read back', () => {
    const { module } = runPasses(network, pipelinePasses('O2'));
    assert.deepEqual(verifyModule(module), []);
    assert.doesNotThrow(() => checkModule(module));
    const endless = { ...module, context: Infinity };
    assert(verifyModule(endless).length > 0);
    assert.throws(() => parseModule(printModule(endless), 'x.rir'), /RC0404/);
  });
});
