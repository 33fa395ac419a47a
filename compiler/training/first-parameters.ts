/** @file What training begins with. */
import { readGates } from './gates/export.ts';
import type { TrainedGates } from './gates/export.ts';
import { openGates } from './gates/model.ts';
import { readHub } from './hub/export.ts';
import { planFirstWalk } from './hub/router.ts';
import { initialParameters } from './model.ts';
import type { TrainSettings } from './settings.ts';
import { trainedSpecs } from './trainee.ts';

/**
 * First values; `model` and `gates`, where they are given, instead of random ones and of gates that are open,
 * or a hub that goes through the blocks in order.
 */
export function firstParameters(settings: TrainSettings, model?: Float32Array, gates?: TrainedGates): Float32Array {
  const specs = trainedSpecs(settings);
  const flat = initialParameters(specs, settings.seed);
  if (model !== undefined && settings.routed?.mode !== 'distill') flat.set(model);
  const { routed, shape } = settings;
  if (routed?.hub === undefined) openGates(specs, flat);
  else if (gates === undefined) planFirstWalk(routed.config, routed.hub.firstHops, { specs, flat });
  if (gates !== undefined) (routed?.hub === undefined ? readGates : readHub)(gates, shape.hidden, { specs, flat });
  return flat;
}
