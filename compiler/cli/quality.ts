/** @file The columns in which commands show how well a model predicts. */
import type { Agreement, Quality } from '../routing/index.ts';

export const qualityHead = ['depth', 'p50', 'p95', 'p99', 'nats', 'perplexity'] as const;
export const agreementHead = ['KL', 'top-1'] as const;

export function qualityCells({ depth, nats, perplexity }: Quality): readonly string[] {
  const { mean, p50, p95, p99 } = depth;
  return [mean.toFixed(2), String(p50), String(p95), String(p99), nats.toFixed(4), perplexity.toFixed(2)];
}

export function agreementCells({ kl, top1 }: Agreement): readonly string[] {
  return [kl.toFixed(4), percent(top1)];
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
