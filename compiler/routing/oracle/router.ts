/** @file How often the routers of a model decide as an oracle does. */
import type { Walks } from './decide.ts';

/** Decisions by token and block: what the router said, given what the oracle did. */
export interface Decisions {
  /** Both execute the block. */
  both: number;
  onlyRouter: number;
  onlyOracle: number;
  /** Neither does. */
  neither: number;
}

/** "Execute" is the positive answer. */
export interface RouterAgreement {
  /** Of what the router executes, the share that the oracle executes, too. */
  readonly precision: number;
  /** Of what the oracle executes, the share that the router executes, too. */
  readonly recall: number;
  /** Share of all decisions that are the same. */
  readonly same: number;
  /** Mean depth of the router, in blocks. */
  readonly depth: number;
}

export function createDecisions(): Decisions {
  return { both: 0, onlyRouter: 0, onlyOracle: 0, neither: 0 };
}

/** Counts the decisions of a window; walks of each token. */
export function countDecisions(decisions: Decisions, blocks: readonly number[], router: Walks, oracle: Walks): void {
  for (const [token, path] of router.entries()) {
    const [ours, theirs] = [new Set(path), new Set(oracle[token])];
    for (const block of blocks) {
      const [mine, wanted] = [ours.has(block), theirs.has(block)];
      if (mine && wanted) decisions.both++;
      else if (mine) decisions.onlyRouter++;
      else if (wanted) decisions.onlyOracle++;
      else decisions.neither++;
    }
  }
}

/** Shares of nothing are 1: nothing was wrong. */
export function routerAgreement(decisions: Decisions, blocks: number): RouterAgreement {
  const { both, onlyRouter, onlyOracle, neither } = decisions;
  const all = both + onlyRouter + onlyOracle + neither;
  const share = (part: number, whole: number): number => (whole === 0 ? 1 : part / whole);
  return {
    precision: share(both, both + onlyRouter),
    recall: share(both, both + onlyOracle),
    same: share(both + neither, all),
    depth: blocks * share(both + onlyRouter, all),
  };
}
