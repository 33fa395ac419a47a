/** @file What the training of gates is asked for. */
import type { RadialConfig } from '../../frontend/index.ts';
import type { HubSettings } from '../hub/settings.ts';

export interface RoutedSettings {
  /** `distill`: the gates alone, towards the dense model's predictions. `joint`: gates and model, towards the text. */
  readonly mode: 'distill' | 'joint';
  readonly config: RadialConfig;
  /** Mean share of the blocks that a token is to execute. */
  readonly targetDepth: number;
  /** The budget's part of the loss: so much times the squared distance from the target. */
  readonly budget: number;
  /** Steps in which the target falls from all blocks to `targetDepth`; then the noise of the decisions falls to nothing. */
  readonly anneal: number;
  /** Where the config has a hub, and only there; its depth is counted in hops, as a share of the hop cap. */
  readonly hub?: HubSettings;
}
