/** @file How far a study is, in passes over windows. */

export interface Passes {
  /** Passes that are still to come, at most as many as were planned before. */
  readonly plan: (left: number) => void;
  readonly pass: () => void;
}

/** @param report - gets the share of what is planned that is done, from 0 to 1; 0 before the first plan */
export function createPasses(report: (share: number) => void): Passes {
  let [done, total] = [0, Infinity];
  return {
    plan: (left) => {
      total = done + left;
    },
    pass: () => {
      done++;
      report(Math.min(1, done / total));
    },
  };
}
