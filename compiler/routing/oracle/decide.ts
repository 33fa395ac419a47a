/**
 * @file Which blocks each token of a window executes, by the oracle: all whose residual ratio is not below a threshold. An
 * oracle has computed what it skips.
 *
 * Off-policy the ratios are those of the dense run. On-policy they are those of the routed run: what a token's ratio at a
 * block is where the blocks before it have been skipped already, by this token, and by the ones before it what they have
 * skipped. The program's edges ask an oracle for that, which decides token by token while it runs.
 */

export interface Rule {
  readonly threshold: number;
  /** ‖f‖ / ‖x‖, or ‖f‖ / ‖x + f‖. */
  readonly denominator: 'input' | 'output';
}

/** Blocks in order, of each token. */
export type Walks = readonly (readonly number[])[];

/** Whether a token skips a block. `norms`: ‖x‖, ‖f‖ and ‖x + f‖ of block b from 3 · b on. A ratio that is no number does not. */
export function skips(norms: Float32Array, block: number, { threshold, denominator }: Rule): boolean {
  const [x = NaN, f = NaN, sum = NaN] = norms.subarray(3 * block, 3 * block + 3);
  return f / (denominator === 'input' ? x : sum) < threshold;
}

/** @param probes - of the dense run */
export function decideOffPolicy(probes: readonly Float32Array[], blocks: readonly number[], rule: Rule): Walks {
  return probes.map((norms) => blocks.filter((block) => !skips(norms, block, rule)));
}
