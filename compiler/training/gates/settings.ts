/** @file What the training of routers is asked for. */
import type { RadialConfig } from '../../frontend/index.ts';
import type { HubSettings } from '../hub/settings.ts';

export interface RoutedSettings {
  /** `distill`: the routers alone, towards the dense model's predictions. `joint`: routers and model, towards the text. */
  readonly mode: 'distill' | 'joint';
  readonly config: RadialConfig;
  /** Mean share of the blocks that a token is to execute. */
  readonly targetDepth: number;
  /** The budget's part of the loss: so much times the squared distance from the target. */
  readonly budget: number;
  /** Steps in which the target goes to `targetDepth`, from all blocks or a hub's first hops; then the noise of the decisions falls. */
  readonly anneal: number;
  /** Where the config has a hub, and only there; its depth is counted in hops, as a share of the hop cap. */
  readonly hub?: HubSettings;
}
