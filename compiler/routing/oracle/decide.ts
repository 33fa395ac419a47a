/**
 * @file Which blocks each token of a window executes, by the oracle: all whose residual ratio is not below a threshold. An
 * oracle has computed what it skips.
 *
 * Off-policy the ratios are those of the dense run. On-policy they are those of the routed run: what a token's ratio at a
 * block is where the blocks before it have been skipped already, by this token and the others. Blocks are decided in order,
 * a run for each: every token executes the blocks that were decided for it, and then the next one. Under KV policy `project`
 * that run is exact: a token leaves the same k and v whether it executes a block or passes it over, so no token's decision at
 * the block bears on what another token sees there. Under the other policies it does.
 */
import type { ForwardOptions, ForwardResult } from '../../../runtime/index.ts';

export interface Rule {
  readonly threshold: number;
  /** ‖f‖ / ‖x‖, or ‖f‖ / ‖x + f‖. */
  readonly denominator: 'input' | 'output';
}

/** Blocks in order, of each token. */
export type Walks = readonly (readonly number[])[];

/** Runs a window through a program with probes that takes routes. */
export type Forward = (options: ForwardOptions) => Promise<ForwardResult>;

/** Whether a token skips a block. `norms`: ‖x‖, ‖f‖ and ‖x + f‖ of block b from 3 · b on. A ratio that is no number does not. */
export function skips(norms: Float32Array, block: number, { threshold, denominator }: Rule): boolean {
  const [x = NaN, f = NaN, sum = NaN] = norms.subarray(3 * block, 3 * block + 3);
  return f / (denominator === 'input' ? x : sum) < threshold;
}

/** @param probes - of the dense run */
export function decideOffPolicy(probes: readonly Float32Array[], blocks: readonly number[], rule: Rule): Walks {
  return probes.map((norms) => blocks.filter((block) => !skips(norms, block, rule)));
}

/** Under KV policy `project`. @param tokens - of the window */
export async function decideOnPolicy(
  forward: Forward,
  tokens: number,
  blocks: readonly number[],
  rule: Rule,
): Promise<Walks> {
  const walks: number[][] = Array.from({ length: tokens }, () => []);
  for (const block of blocks) {
    // Nothing after the block bears on it, so the tokens end there.
    const walk = walks.map((before) => [...before, block]);
    const { probes = [] } = await forward({ route: { walk }, positions: [] });
    for (const [token, norms] of probes.entries()) {
      if (!skips(norms, block, rule)) walks[token]?.push(block);
    }
  }
  return walks;
}
