/**
 * @file Lets each block report what it does to the hidden state (option `probes`), for profiling and for oracles.
 *
 *     %6 = residual(%x, %5)    =>    %p = probe(%x, %5) {block: 0}
 *                                    %6 = residual(%x, %5)
 *
 * The branch is then read twice, so that fuse-epilogue leaves the residual sum outside. Without the option or an oracle that
 * edges ask, and in blocks that have a probe or whose residual sum is part of a linear already, nothing changes.
 */
import type { Block, Op } from '../../ir/index.ts';
import { askedOracle, f32, fail } from '../../ir/index.ts';
import type { NetworkPass } from '../pass.ts';
import { freeLocal, mapSame } from './rewrite.ts';

export const insertProbes: NetworkPass = {
  name: 'insert-probes',
  summary: 'Let each block report the norms of its input, branch and sum.',
  stage: 'network',
  run: (network, { options }) => {
    if (options.probes !== true && askedOracle(network) === undefined) return network;
    const blocks = mapSame(network.blocks, probed);
    if (askedOracle(network) !== undefined) requireProbes(blocks);
    return blocks === network.blocks ? network : { ...network, blocks };
  },
};

/** @throws RadialError RC0611 */
function requireProbes(blocks: readonly Block[]): void {
  const blind = blocks.find(({ body }) => !body.ops.some(isProbe));
  if (blind === undefined) return;
  fail('RC0611', `an oracle cannot see what block ^${blind.id} adds: its sum is part of a linear`, {
    help: 'write the sum as an operation, `residual`, or leave the oracle out',
  });
}

function isProbe({ kind }: Op): boolean {
  return kind === 'probe';
}

function probed(block: Block): Block {
  const { body, id } = block;
  if (body.ops.some(isProbe)) return block;
  const at = body.ops.findIndex(({ kind }) => kind === 'residual');
  const sum = body.ops[at];
  if (sum === undefined) return block;
  const probe: Op = {
    kind: 'probe',
    operands: sum.operands,
    extras: {},
    attrs: { block: id },
    result: freeLocal(body),
    type: f32(sum.type.shape[0] ?? 'tokens', 3),
  };
  return { ...block, body: { ...body, ops: body.ops.toSpliced(at, 0, probe) } };
}
