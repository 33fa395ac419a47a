/** @file How far a run over windows is, also within a window that takes many passes. */

export interface Meter {
  /** A window begins; the share of the whole that is done when it ends. */
  begin(end: number): void;
  /** A pass of the window has ended. */
  pass(): void;
}

/** @param passes - of each window @param report - gets the share of the whole, from 0 to 1 */
export function createMeter(passes: number, report: (share: number) => void): Meter {
  let [from, to, done] = [0, 0, 0];
  return {
    begin: (end) => {
      [from, to, done] = [to, end, 0];
    },
    pass: () => {
      done++;
      report(from + (to - from) * (done / passes));
    },
  };
}
