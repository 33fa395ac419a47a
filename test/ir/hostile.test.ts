/** @file Modules of absurd sizes and shapes are read, verified and sent through passes, or refused, in a moment. */
import assert from 'node:assert/strict';
import { createInterpreter, parseModule } from '../../ir/index.ts';
import { checkModule } from '../../ir/verify/module.ts';
import { pipelinePasses, runPasses } from '../../passes/index.ts';
import type { PassOptions } from '../../passes/index.ts';
import { diagnosticsOf } from '../support/error-files.ts';
import { noWeights } from '../support/tiny.ts';

const lines = (count: number, line: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => line(i)).join('\n');
const before = (i: number, prefix = '%'): string => (i === 0 ? '%x' : `${prefix}${i - 1}`);

interface Parts {
  readonly context?: number;
  readonly hidden?: number;
  readonly maxHops?: number;
  readonly revisit?: 'overwrite' | 'append';
  readonly consts?: string;
  readonly blocks: string;
}

function network({ context = 8, hidden = 4, maxHops = 8, revisit = 'overwrite', consts = '', blocks }: Parts): string {
  return `network @n {task: "causal-lm", context: ${context}, kv: "project", revisit: "${revisit}", max_hops: ${maxHops}}
const @table : f32[5, ${hidden}] = full {value: 1}
const @w : f32[${hidden}, ${hidden}] = full {value: 1}
const @b : f32[${hidden}] = full {value: 1}
const @angles : f32[8, 2] = full {value: 1}
${consts}
entry(%ids: i32[tokens], %pos: i32[tokens]) {
  %0 = embed(%ids, @table) {offset: 0}
  yield %0
} -> ^0
${blocks}
exit(%x: f32[tokens, ${hidden}]) {
  %0 = linear(%x, @table)
  yield %0
}`;
}

interface BlockParts {
  readonly id?: number;
  readonly ops: string;
  readonly result: string;
  readonly to?: string;
  readonly hidden?: number;
}

function block({ id = 0, ops, result, to = 'exit', hidden = 4 }: BlockParts): string {
  const role = ops.includes('attention(') ? 'attention' : 'mlp';
  return `block ^${id} ${role}(%x: f32[tokens, ${hidden}], %pos: i32[tokens]) {
${ops}
  %sum = residual(%x, ${result})
  yield %sum
} -> ${to}`;
}

const attention = (q: string): string =>
  `  %a = attention(${q}, %x, %x) {heads: 1, kv_heads: 1, scale: 1, causal: true}`;

/** Codes of what is reported; empty for a module that comes out of the pipeline. */
function codesOf(text: string, options: PassOptions = {}): readonly string[] {
  const found = diagnosticsOf(() => {
    const module = parseModule(text, 'x.rir');
    checkModule(module, 'x.rir');
    for (const level of ['O0', 'O2'] as const) runPasses(module, pipelinePasses(level), { options });
  });
  return [...new Set(found.map(({ code }) => code))];
}

const N = 6000;
const cases: Readonly<Record<string, { readonly text: () => string; readonly codes: readonly string[] }>> = {
  'a huge context': {
    text: () => network({ context: 1e9, blocks: block({ ops: '', result: '%x' }) }),
    codes: ['RC0501'],
  },
  'a huge hidden state': {
    text: () => network({ hidden: 1e6, blocks: block({ ops: '', result: '%x', hidden: 1e6 }) }),
    codes: ['RC0508'],
  },
  'a huge hop cap': {
    text: () => network({ maxHops: 1e9, blocks: block({ ops: '', result: '%x' }) }),
    codes: ['RC0501'],
  },
  'a huge block number': {
    text: () => network({ blocks: block({ id: 30_000_000, ops: '', result: '%x' }) }),
    codes: ['RC0405'],
  },
  'more memory than there is': {
    text: () =>
      network({
        context: 2 ** 24,
        maxHops: 65_536,
        revisit: 'append',
        blocks: block({ ops: attention('%x'), result: '%a', to: 'external [exit, ^0]' }),
      }),
    codes: ['RC0704'],
  },
  'a long chain of ops': {
    text: () => network({ blocks: block({ ops: lines(N, (i) => `%${i} = relu(${before(i)})`), result: `%${N - 1}` }) }),
    codes: [],
  },
  'many live values': {
    text: () => {
      const made = lines(N, (i) => `%${i} = scale(%x) {by: ${i + 2}}`);
      const read = lines(N, (i) => `%s${i} = add(${before(i, '%s')}, %${i})`);
      return network({ blocks: block({ ops: `${made}\n${read}`, result: `%s${N - 1}` }) });
    },
    codes: ['RC0707'],
  },
  'many ropes': {
    text: () => {
      const ropes = lines(N, (i) => `%${i} = rope(${before(i)}, %pos, @angles, @angles) {head_dim: 4}`);
      return network({ blocks: block({ ops: `${ropes}\n${attention(`%${N - 1}`)}`, result: '%a' }) });
    },
    codes: [],
  },
  'many ops on constants': {
    text: () => {
      const ops = lines(3 * N, (i) => `%c${i} = scale(@b) {by: ${i + 2}}`);
      return network({ blocks: block({ ops, result: '%x' }) });
    },
    codes: [],
  },
  'a long chain of constants': {
    text: () => {
      const consts = lines(4 * N, (i) => `const @c${i} = scale(${i === 0 ? '@w' : `@c${i - 1}`}) {by: 1.5}`);
      return network({ consts, blocks: block({ ops: `%0 = linear(%x, @c${4 * N - 1})`, result: '%0' }) });
    },
    codes: [],
  },
  'many blocks, each of another shape': {
    text: () => {
      const to = (i: number): string => (i === N - 1 ? 'exit' : `^${i + 1}`);
      return network({
        maxHops: N,
        blocks: lines(N, (id) => block({ id, ops: `%0 = scale(%x) {by: ${id + 2}}`, result: '%0', to: to(id) })),
      });
    },
    codes: [],
  },
  'a hub without loops of one hop': {
    text: () => {
      const others = (i: number): string => lines(200, (j) => (i === j ? '' : `^${j},`));
      return network({
        revisit: 'append',
        blocks: lines(200, (id) =>
          block({ id, ops: attention('%x'), result: '%a', to: `external [${others(id)} exit]` }),
        ),
      });
    },
    codes: [],
  },
};

describe('hostile modules', () => {
  for (const [name, { text, codes }] of Object.entries(cases)) {
    it(`end quickly: ${name}`, () => {
      assert.deepEqual(codesOf(text()), codes);
    });
  }

  it('are refused when a route from outside would make them too large', () => {
    const to = (i: number): string => (i === N - 1 ? 'exit' : `^${i + 1}`);
    const text = network({ maxHops: N, blocks: lines(N, (id) => block({ id, ops: '', result: '%x', to: to(id) })) });
    assert.deepEqual(codesOf(text, { route: 'external' }), ['RC0609']);
  });

  it('are refused by their size, without a look inside', () => {
    assert.deepEqual(codesOf(' '.repeat(100 * 2 ** 20)), ['RC0406']);
  });

  it('are interpreted without recursion', () => {
    const consts = lines(20_000, (i) => `const @c${i} = relu(${i === 0 ? '@w' : `@c${i - 1}`})`);
    const module = parseModule(
      network({ consts, blocks: block({ ops: '%0 = linear(%x, @c19999)', result: '%0' }) }),
      'x.rir',
    );
    assert(module.stage === 'network');
    const { logits } = createInterpreter(module, noWeights).runTokens([1]);
    // Ones: the hidden state of 4 columns becomes 1 + 4, the logits 4 times that.
    assert.deepEqual(Array.from(logits[0] ?? []), [20, 20, 20, 20, 20]);
  });
});
