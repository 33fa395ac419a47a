/** @file Learned routers of a checkpoint: `radial-config.json` and `router.safetensors`. */
import { join } from 'node:path';
import { fail, RadialError } from '../../../ir/diagnostics/diagnostic.ts';
import type { Network } from '../../../ir/index.ts';
import { refuse } from '../config/fields.ts';
import { isPresent } from '../files.ts';
import type { JsonDocument } from '../json.ts';
import { quote } from '../quote.ts';
import { isWeightDtype } from '../weights/dtypes.ts';
import { joinWeights, openWeightsFile } from '../weights/weights.ts';
import type { Weights } from '../weights/weights.ts';
import { attachRouters, hiddenSize } from './attach.ts';
import { RADIAL_CONFIG, readRadialConfig } from './radial-config.ts';
import type { RadialConfig } from './radial-config.ts';
import { ROUTER_FILE, routerTensors } from './tensors.ts';

export interface Routed {
  readonly network: Network;
  /** Those of the model and of its routers. */
  readonly weights: Weights;
  /** Undefined where there are no routers. */
  readonly config?: RadialConfig;
}

/**
 * The network with the routers of the folder, where it has some. Closing the weights closes those of the model too.
 * @throws RadialError RC01xx (files), RC0204, RC0270 – RC0273
 */
export function withRouters(dir: string, network: Network, weights: Weights): Routed {
  const found = readRadialConfig(dir);
  const hasWeights = isPresent(join(dir, ROUTER_FILE));
  if (found === undefined && !hasWeights) return { network, weights };
  if (found === undefined || !hasWeights) {
    const [there, missing] = hasWeights ? [ROUTER_FILE, RADIAL_CONFIG] : [RADIAL_CONFIG, ROUTER_FILE];
    return fail('RC0270', `the folder has ${there}, but no ${missing}`, {
      place: { file: dir },
      help: `copy ${missing} from where the model came from, or remove ${there} to compile the model without routers`,
    });
  }
  const { config, document } = found;
  checkModel(network, config, document);
  const routers = openWeightsFile(dir, ROUTER_FILE);
  try {
    checkTensors(routers, config, hiddenSize(network), join(dir, ROUTER_FILE));
    return { network: attachRouters(network, config), weights: joinWeights(weights, routers), config };
  } catch (error) {
    routers.close();
    throw error;
  }
}

/** The weights of a folder, those of its routers included, as a text names them. */
export function withRouterWeights(dir: string, weights: Weights): Weights {
  return isPresent(join(dir, ROUTER_FILE)) ? joinWeights(weights, openWeightsFile(dir, ROUTER_FILE)) : weights;
}

/** @throws RadialError RC0272 */
function checkModel({ blocks, task }: Network, { router, blocks: count }: RadialConfig, document: JsonDocument): void {
  const help = 'use the radial-config.json that was trained for this model';
  if (count !== blocks.length) {
    refuse(document, 'RC0272', ['blocks'], `the routers are for ${count} blocks, the model has ${blocks.length}`, help);
  }
  if (router === 'hub' && task === 'image-classification') {
    refuse(document, 'RC0272', ['router'], 'a model for images cannot have a hub', help);
  }
}

/** @throws RadialError RC0273, all that is wrong at once */
function checkTensors(routers: Weights, config: RadialConfig, width: number, file: string): void {
  const needed = new Map(routerTensors(config, width).map(({ name, shape }) => [name, shape]));
  const faults = [...needed].flatMap(([name, shape]) => {
    const [found, dtype] = [routers.shape(name), routers.dtype(name)];
    const subject = `tensor ${quote(name)}`;
    if (found === undefined) return [{ subject, message: 'the tensor is missing' }];
    if (found.join() !== shape.join()) {
      return [
        { subject, message: `the tensor is [${found.join(', ')}], radial-config.json makes it [${shape.join(', ')}]` },
      ];
    }
    return dtype !== undefined && isWeightDtype(dtype)
      ? []
      : [{ subject, message: `the tensor has dtype ${dtype ?? ''}` }];
  });
  const extra = routers.names().filter((name) => !needed.has(name));
  faults.push(
    ...extra.map((name) => ({ subject: `tensor ${quote(name)}`, message: 'the routers have no such tensor' })),
  );
  if (faults.length === 0) return;
  throw new RadialError(
    faults.slice(0, MAX_TOLD).map(({ subject, message }) => ({
      code: 'RC0273',
      severity: 'error',
      message,
      place: { file, subject },
      help: 'use the router.safetensors and radial-config.json of one training run',
    })),
  );
}

const MAX_TOLD = 8;
