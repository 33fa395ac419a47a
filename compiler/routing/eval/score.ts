/** @file How well a model predicts, how far it goes for it, and how near it is to the dense one: sums over tokens. */
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import type { ForwardResult } from '../../../runtime/index.ts';
import { divergence, natsOf, rowOf } from './logits.ts';
import type { Row } from './logits.ts';

/** Changed in place by {@link countRun}. */
export interface Score {
  /** Predictions that were counted. */
  tokens: number;
  nats: number;
  /** Σ KL(dense || this), and how often both have the same likeliest token. */
  divergence: number;
  agreed: number;
  /** At d: tokens that executed d blocks. */
  readonly depths: number[];
}

export function createScore(): Score {
  return { tokens: 0, nats: 0, divergence: 0, agreed: 0, depths: [] };
}

export interface Prediction {
  readonly row: Row;
  /** The token that comes. */
  readonly target: number;
  /** Blocks that were executed for the row. */
  readonly depth: number;
  /** What the dense model predicts here. */
  readonly dense?: Row | undefined;
}

/** @throws RadialError RC1226 */
export function countToken(score: Score, { row, target, depth, dense }: Prediction): void {
  if (!Number.isFinite(row.logSum)) {
    fail('RC1226', `the logits of prediction ${score.tokens} are not finite`, {
      help: 'a damaged checkpoint, or numbers that 32-bit floats do not hold; `radialc verify` compares with the interpreter',
    });
  }
  score.tokens++;
  score.nats += natsOf(row, target);
  while (score.depths.length <= depth) score.depths.push(0);
  score.depths[depth] = (score.depths[depth] ?? 0) + 1;
  if (dense === undefined) return;
  score.divergence += divergence(dense, row);
  if (dense.top === row.top) score.agreed++;
}

/**
 * Counts the predictions of a run.
 * @param targets - of each position @param dense - what the dense model predicts there
 * @returns the run's rows
 */
export function countRun(
  score: Score,
  { logits, depth }: ForwardResult,
  targets: readonly number[],
  dense?: readonly Row[],
): readonly Row[] {
  return logits.map((values, position) => {
    const row = rowOf(values);
    const target = targets[position] ?? NaN;
    countToken(score, { row, target, depth: depth[position] ?? 0, dense: dense?.[position] });
    return row;
  });
}

/** In executed blocks. Quantiles are the depths of rank ⌊share · (tokens - 1)⌋, counted from 0. */
export interface DepthStatistics {
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

export interface Quality {
  /** Per token. */
  readonly nats: number;
  readonly perplexity: number;
  readonly bitsPerByte: number;
  readonly depth: DepthStatistics;
}

/** How near a model is to the dense one. */
export interface Agreement {
  /** KL(dense || this), nats per token. */
  readonly kl: number;
  /** Share of tokens for which both have the same likeliest token. */
  readonly top1: number;
}

/** @param bytes - of the text that was predicted */
export function qualityOf({ tokens, nats, depths }: Score, bytes: number): Quality {
  return {
    nats: nats / tokens,
    perplexity: Math.exp(nats / tokens),
    bitsPerByte: nats / Math.LN2 / bytes,
    depth: depthStatistics(depths),
  };
}

export function agreementOf({ tokens, divergence: sum, agreed }: Score): Agreement {
  return { kl: sum / tokens, top1: agreed / tokens };
}

/** @param depths - see {@link Score} */
export function depthStatistics(depths: readonly number[]): DepthStatistics {
  const tokens = depths.reduce((sum, count) => sum + count, 0);
  const blocks = depths.reduce((sum, count, depth) => sum + count * depth, 0);
  const at = (share: number): number => {
    let left = Math.floor(share * (tokens - 1));
    return depths.findIndex((count) => (left -= count) < 0);
  };
  return { mean: blocks / tokens, p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}
