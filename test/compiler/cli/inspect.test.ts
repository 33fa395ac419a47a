/** @file `radialc inspect`: numbers that agree with each other and with the artifact. */
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { parseModule, printModule } from '../../../ir/index.ts';
import { checkpoint, fails, filesOf, ok, okJson, optConfig, phaseFile, scratch, vitConfig } from './support.ts';
import { gates, hub, writeRouters } from '../../support/routers.ts';

interface Cost {
  readonly parameters: number;
  readonly weightBytes: number;
  readonly flops: number;
}

interface Inspected {
  readonly name: string;
  readonly family: string;
  readonly task: string;
  readonly routing: { readonly kv: string; readonly revisit: string; readonly maxHops: number };
  readonly edges: { readonly entry: readonly unknown[]; readonly router: string | null };
  readonly blocks: readonly (Cost & {
    readonly id: number;
    readonly role: string;
    readonly router: string | null;
    readonly successors: readonly (number | 'exit')[];
  })[];
  readonly entry: Cost;
  readonly exit: Cost;
  readonly total: Cost;
  readonly kv: { readonly bytesPerTokenStatic: number; readonly pages: number; readonly pageBytes: number } | null;
  readonly memory: { readonly bytes: number; readonly weightsBytes: number };
  readonly wasmBytes: number;
  readonly bodies: readonly { readonly name: string; readonly kernels: readonly string[] }[];
}

const { hidden_size: hidden, vocab_size: vocab, ffn_dim: ffn, max_position_embeddings: positions } = optConfig;

describe('radialc inspect', () => {
  const at = scratch();
  before(async () => {
    await checkpoint(at('model'));
    await checkpoint(at('vit'), { config: vitConfig });
    await ok('compile', at('model'), '-o', at('out'));
    await ok('compile', at('model'), '-o', at('routed'), '--route=external', '--kv=latest', '--max-hops=7');
  });

  it('counts what the checkpoint holds', async () => {
    const { blocks, total, exit, family, task, edges } = await okJson<Inspected>('inspect', at('model'));
    assert.deepEqual([family, task, edges], ['opt', 'causal-lm', { entry: [0], router: null }]);
    const attention = 4 * hidden * hidden + 4 * hidden + 2 * hidden;
    const mlp = 2 * hidden * ffn + ffn + hidden + 2 * hidden;
    assert.deepEqual(
      blocks.map(({ role, parameters }) => [role, parameters]),
      [
        ['attention', attention],
        ['mlp', mlp],
        ['attention', attention],
        ['mlp', mlp],
      ],
    );
    assert.deepEqual(
      blocks.map(({ successors }) => successors),
      [[1], [2], [3], ['exit']],
    );
    // The head is the embedding table, which counts once; positions begin at row 2.
    const rest = vocab * hidden + positions * hidden + 2 * hidden;
    assert.ok([rest, rest + 2 * hidden].includes(total.parameters - 2 * attention - 2 * mlp), String(total.parameters));
    assert.equal(exit.parameters, vocab * hidden + 2 * hidden);
    for (const { parameters, weightBytes, flops } of blocks) {
      assert.equal(weightBytes, 4 * parameters);
      assert.ok(flops >= 2 * parameters * 0.9);
    }
  });

  it('tells of a program what it tells of its checkpoint', async () => {
    const program = await okJson<Inspected>('inspect', at('out'));
    assert.deepEqual(await okJson<Inspected>('inspect', at('model')), program);
    assert.equal(program.wasmBytes, statSync(at('out', 'model.wasm')).size);
    const chunks = filesOf(at('out')).filter((file) => file.startsWith('weights'));
    const bytes = chunks.reduce((sum, file) => sum + statSync(at('out', file)).size, 0);
    assert.equal(program.memory.weightsBytes, bytes);
    assert.ok(program.memory.bytes >= bytes + Number(program.kv?.pages) * Number(program.kv?.pageBytes));
    // K and V of two attention blocks, in f32.
    assert.equal(program.kv?.bytesPerTokenStatic, 2 * 2 * hidden * 4);
    assert.equal(program.name, 'model');
  });

  it('adds up', async () => {
    const { blocks, entry, exit, total } = await okJson<Inspected>('inspect', at('out'), '--cached', '11');
    const sum = [entry, ...blocks, exit].reduce((flops, part) => flops + part.flops, 0);
    assert.equal(total.flops, sum);
  });

  it('counts more FLOPs where more tokens are cached, in attention only', async () => {
    const [few, many] = [
      await okJson<Inspected>('inspect', at('out'), '--cached=1'),
      await okJson<Inspected>('inspect', at('out'), '--cached=40'),
    ];
    few.blocks.forEach(({ role, flops }, i) => {
      assert.equal(Number(many.blocks[i]?.flops) > flops, role === 'attention');
    });
  });

  it('shows routers and their edges', async () => {
    const { routing, blocks, edges } = await okJson<Inspected>('inspect', at('routed'));
    assert.deepEqual([routing.kv, routing.maxHops, edges.router], ['latest', 7, 'external']);
    assert.ok(blocks.every(({ router, successors }) => router === 'external' && successors.length === 5));
    assert.deepEqual(
      (await okJson<Inspected>('inspect', at('model'), '--route=external', '--kv=latest', '--max-hops=7')).routing,
      routing,
    );
  });

  it('shows people a table', async () => {
    const text = await ok('inspect', at('out'));
    assert.match(text, /^model: opt, causal-lm, 4 blocks, hidden 16, 32 outputs, context 48$/m);
    assert.match(text, /^\^0 +attention .* \^1$/m);
    assert.match(text, /^\^3 +mlp .* exit$/m);
    assert.match(text, /^KV cache: 2 lists in one pool of /m);
    assert.match(text, /^program: model\.wasm .* bodies \(/m);
    assert.match(await ok('inspect', at('routed')), /external: \^1, \^0, … 5 in all$/m);
    assert.match(await ok('inspect', at('vit')), /^vit: vit, image-classification, 2 blocks, /);
  });

  it('prints the IR of either stage', async () => {
    for (const stage of ['network', 'kernels']) {
      const text = await ok('inspect', at('out'), '--ir', stage);
      assert.equal(`${printModule(parseModule(text, 'x')).trimEnd()}\n`, text);
      assert.ok(text.includes(stage === 'network' ? 'linear(' : 'memory'), text.slice(0, 500));
    }
  });

  it('refuses what has no network, or is nothing', async () => {
    await ok('compile', at('model'), '-o', at('dumped'), '--dump-phases-to', at('phases'));
    const lowered = phaseFile(at('phases'), 'lower');
    await fails('RC1007', 'inspect', lowered, '--weights', at('model'));
    await ok('compile', lowered, '--weights', at('model'), '-o', at('from-kernels'));
    await fails('RC0834', 'inspect', at('from-kernels'));
    await fails('RC0140', 'inspect', at('nowhere'));
    await fails('RC1011', 'inspect', at('out'), '--kv', 'latest');
  });

  it('shows routers: where they lead, and what they cost', async () => {
    await checkpoint(at('gated'));
    writeRouters(
      at('gated'),
      { ...gates, blocks: 4, gatedBlocks: [1, 2, 3], maxHops: 4, anchors: 1 },
      optConfig.hidden_size,
    );
    const text = await ok('inspect', at('gated'));
    assert.match(text, /gates open above 0\.5, \d+\.\d % of the FLOPs; the first token skips nothing$/m);
    assert.match(text, /^\^1 +mlp, gated .* gate: \^2, \^3, exit$/m);
    assert.match(text, /^entry .* gate: \^0\.\.\^3, exit$/m);
    writeRouters(at('gated'), { ...hub, blocks: 4 }, optConfig.hidden_size);
    assert.match(await ok('inspect', at('gated')), /; a hub, \d+\.\d % of the FLOPs$/m);
    const { routing } = await okJson<{ routing: object }>('inspect', at('gated'));
    assert.deepEqual(routing, {
      kv: 'absent',
      revisit: 'append',
      maxHops: 9,
      decides: 'hop',
      threshold: 0.5,
      anchors: 0,
    });
  });
});
