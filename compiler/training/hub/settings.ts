/** @file What the training of a hub is asked for, besides what gates are asked for too. */

export interface HubSettings {
  /** How often all tokens walk before the walk whose loss is trained. */
  readonly passes: number;
  /** Of these, the last so many get gradients through what they leave. */
  readonly unroll: number;
  /** Hops of a new hub: through the blocks in order, and around again. */
  readonly firstHops: number;
  /** What uneven use of the blocks costs, in nats: so much for a hub that knows but one of two blocks. */
  readonly balance: number;
  /** How large the noise of the decisions is at the beginning; 1 draws from the hub's probabilities. */
  readonly noise: number;
}
