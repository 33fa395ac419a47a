/** @file The front end's face: checkpoints in, networks out. */
import type { Network } from '../../ir/index.ts';
import { openCheckpoint } from './checkpoint.ts';
import type { Checkpoint } from './checkpoint.ts';
import { buildNetwork } from './families/index.ts';
import { withRouters } from './routers/index.ts';
import type { Weights } from './weights/weights.ts';

export { openCheckpoint, readCheckpointConfig } from './checkpoint.ts';
export type { Checkpoint } from './checkpoint.ts';
export { frontendCodes } from './codes.ts';
export type { Family, ModelConfig } from './config/types.ts';
export type { BuildOptions } from './families/index.ts';
export { initCheckpoint } from './init.ts';
export type { InitOptions, InitProgress, InitResult } from './init.ts';
export { isPresent, readNamed } from './files.ts';
export { parseJson } from './json.ts';
export type { JsonObject } from './json.ts';
export { readTokenizer } from './tokenizer/read-tokenizer.ts';
export { withRouterWeights } from './routers/index.ts';
export { RADIAL_CONFIG, radialConfigText } from './routers/radial-config.ts';
export type { RadialConfig } from './routers/radial-config.ts';
export { ROUTER_FILE, gateLayers, hubLayers } from './routers/tensors.ts';
export type { WeightDtype } from './weights/dtypes.ts';
export { openWeights } from './weights/weights.ts';
export type { Weights } from './weights/weights.ts';

export interface LoadedCheckpoint {
  readonly network: Network;
  /** Open until `checkpoint.close()`. */
  readonly weights: Weights;
  readonly checkpoint: Checkpoint;
}

/**
 * Opens a checkpoint folder and builds its network: a sequential one, unless the checkpoint brings routers along. The caller
 * closes the checkpoint. No weight is read, but a head that is stored although it is tied.
 * @throws RadialError RC01xx (files), RC02xx (config, tensors, context, routers)
 */
export function loadCheckpoint(dir: string, options: { readonly context?: number | undefined } = {}): LoadedCheckpoint {
  const checkpoint = openCheckpoint(dir);
  try {
    const { config, name } = checkpoint;
    const sequential = buildNetwork(config, checkpoint.weights, { name, context: options.context, source: dir });
    const { network, weights, config: radial } = withRouters(dir, sequential, checkpoint.weights);
    const close = (): void => weights.close();
    return { network, weights, checkpoint: { ...checkpoint, weights, ...(radial && { radial }), close } };
  } catch (error) {
    checkpoint.close();
    throw error;
  }
}
