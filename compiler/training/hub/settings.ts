/** @file What the training of a hub is asked for, besides what gates are asked for too. */

export interface HubSettings {
  /** How often all tokens walk without gradients before the walk that is trained. */
  readonly passes: number;
  /** Hops of a new hub: through the blocks in order, and around again. */
  readonly firstHops: number;
  /** What uneven use of the blocks costs, in nats: so much for a hub that knows but one of two blocks. */
  readonly balance: number;
  /** How large the noise of the decisions is at the beginning; 1 draws from the hub's probabilities. */
  readonly noise: number;
}
