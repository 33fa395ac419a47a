/** @file What a row of logits says, in 64-bit floats: how likely a token is, which is the likeliest, how far two rows differ. */

export interface Row {
  readonly logits: Float32Array;
  /** log Σ exp(logits). Not finite where a logit is NaN or ∞. */
  readonly logSum: number;
  /** The likeliest token; of equal ones that of the lowest id. */
  readonly top: number;
}

export function rowOf(logits: Float32Array): Row {
  let [top, max] = [0, -Infinity];
  for (let id = 0; id < logits.length; id++) {
    const value = logits[id] ?? NaN;
    if (value > max) [top, max] = [id, value];
  }
  let sum = 0;
  for (const value of logits) sum += Math.exp(value - max);
  return { logits, logSum: max + Math.log(sum), top };
}

/** -log p(id). */
export function natsOf({ logits, logSum }: Row, id: number): number {
  return logSum - (logits[id] ?? NaN);
}

/** KL(p || q) in nats; exactly 0 for equal rows, infinite where q rules out what p does not. */
export function divergence(p: Row, q: Row): number {
  let sum = 0;
  for (let id = 0; id < p.logits.length; id++) {
    const logP = (p.logits[id] ?? NaN) - p.logSum;
    const share = Math.exp(logP);
    if (share > 0) sum += share * (logP - ((q.logits[id] ?? NaN) - q.logSum));
  }
  return Math.max(0, sum);
}
