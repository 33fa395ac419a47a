/**
 * @file How much a block matters: 1 - cos(x, x + f), the mean over tokens (block influence of ShortGPT, arXiv 2403.03853).
 *
 * The cosine follows from the three norms of the probes: (‖x + f‖² + ‖x‖² - ‖f‖²) / (2 ‖x‖ ‖x + f‖).
 */

/** Changed in place by {@link countNorms}. */
export interface Importance {
  readonly block: number;
  sum: number;
  tokens: number;
}

export function createImportance(blocks: readonly number[]): readonly Importance[] {
  return blocks.map((block) => ({ block, sum: 0, tokens: 0 }));
}

/** Counts a token that executed all blocks; where a hidden state is zero, it has no angle and does not count. */
export function countNorms(importance: readonly Importance[], norms: Float32Array): void {
  for (const each of importance) {
    const [x = NaN, f = NaN, sum = NaN] = norms.subarray(3 * each.block, 3 * each.block + 3);
    const cosine = (sum * sum + x * x - f * f) / (2 * x * sum);
    if (!Number.isFinite(cosine)) continue;
    each.sum += 1 - Math.min(1, Math.max(-1, cosine));
    each.tokens++;
  }
}

export function meanOf({ sum, tokens }: Importance): number {
  return tokens === 0 ? 0 : sum / tokens;
}

/** From the least important block to the most important one; of equal ones the later block comes first. */
export function ranked(importance: readonly Importance[]): readonly number[] {
  return importance.toSorted((a, b) => meanOf(a) - meanOf(b) || b.block - a.block).map(({ block }) => block);
}
