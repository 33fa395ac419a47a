/** @file What an oracle comes to, and as JSON: the same run is the same text, byte for byte. */
import { agreementOf, qualityOf } from '../eval/score.ts';
import type { Agreement, Quality, Score } from '../eval/score.ts';
import { jsonLines } from '../output.ts';
import type { Baseline } from './baselines.ts';
import { meanOf } from './importance.ts';
import { routerAgreement } from './router.ts';
import type { RouterAgreement } from './router.ts';
import type { Oracle } from './run.ts';

export const ORACLE_FORMAT = 'radial-oracle';
/** Raised when an older reader could not read a newer oracle correctly. */
const VERSION = 1;

/** What a way of routing comes to. */
export interface Routed extends Quality, Agreement {
  /** Share of the blocks. */
  readonly skipped: number;
  /** At d: tokens that executed d blocks, from 0 to all. */
  readonly depths: readonly number[];
}

export interface OracleSummary {
  readonly tokens: number;
  readonly dense: Quality;
  /** In order of id. */
  readonly importance: readonly {
    readonly id: number;
    readonly role: 'attention' | 'mlp';
    /** See `importance.ts`. */
    readonly importance: number;
  }[];
  readonly thresholds: readonly {
    readonly threshold: number;
    readonly oracle: Routed;
    /** The router that was compared. */
    readonly router?: RouterAgreement;
    readonly baselines: Readonly<Partial<Record<Baseline, Routed>>>;
  }[];
}

export function oracleSummary({ blocks, bytes, dense, importance, levels }: Oracle): OracleSummary {
  const routed = (score: Score): Routed => {
    const { depth, ...quality } = qualityOf(score, bytes);
    return {
      skipped: 1 - depth.mean / blocks.length,
      depth,
      ...quality,
      ...agreementOf(score),
      depths: Array.from({ length: blocks.length + 1 }, (_, d) => score.depths[d] ?? 0),
    };
  };
  return {
    tokens: dense.tokens,
    dense: qualityOf(dense, bytes),
    importance: blocks.map(({ id, role }, i) => {
      const found = importance[i];
      return { id, role, importance: found === undefined ? 0 : meanOf(found) };
    }),
    thresholds: levels.map(({ threshold, oracle, decisions, baselines }) => ({
      threshold,
      oracle: routed(oracle),
      ...(decisions && { router: routerAgreement(decisions, blocks.length) }),
      baselines: Object.fromEntries(baselines.map(({ name, score }) => [name, routed(score)])),
    })),
  };
}

/** The file. What is not finite is null. */
export function oracleText(oracle: Oracle): string {
  const { model, tokenizer, files, window, windows, bytes, settings } = oracle;
  const { tokens, dense, ...lists } = oracleSummary(oracle);
  const { thresholds: _, ...rest } = settings;
  return jsonLines(
    {
      ...{ format: ORACLE_FORMAT, version: VERSION, model, tokenizer, files, window, ...rest },
      ...{ windows, tokens, bytes, dense },
    },
    { importance: lists.importance, thresholds: lists.thresholds },
  );
}
