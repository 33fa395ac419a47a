/** @file The reference interpreter in the place of a compiled program: same inputs, same routes, same refusals. */
import {
  DEFAULT_THRESHOLD,
  createInterpreter,
  elements,
  fail,
  hasLearnedRouters,
  stringAttr,
  vocabularyOf,
} from '../../ir/index.ts';
import type { Edge, Network, WeightSource } from '../../ir/index.ts';
import { passesNamed, runPasses } from '../../passes/index.ts';
import type { EdgeInfo, RoutingInfo } from '../../runtime/artifact/index.ts';
import { checkIds, checkPixels, createRoutes, inspect, thresholdOption } from '../../runtime/index.ts';
import type { ForwardResult, Ids, Pixels, Route } from '../../runtime/index.ts';
import { readArtifactIr } from '../artifact/index.ts';
import { openInput } from '../input.ts';
import { passRoute } from '../route.ts';
import { findTarget } from '../targets.ts';
import { isArtifact, refuseBuildOptions, refuseTextOptions } from './model.ts';
import type { BuildOptions } from './options.ts';

/** Elements that the interpreter makes of what is not stored: a gigabyte. */
const MAX_MADE = 2 ** 28;
/** Elements of a stored tensor that are read at a time. */
const SLAB = 2 ** 20;

export interface Reference {
  readonly network: Network;
  forward(item: Ids | { readonly pixelValues: Pixels }, route?: Route, threshold?: number): ForwardResult;
  readonly close: () => void;
}

/** Opens a checkpoint, IR text, or the IR that a compiled program carries; the caller closes it. */
export async function openReference(path: string, options: BuildOptions): Promise<Reference> {
  if (isArtifact(path)) {
    refuseBuildOptions(path, options);
    const { network, source, close } = readArtifactIr(path, await inspect(path));
    return referenceOf(network, source, close);
  }
  refuseTextOptions(path, { '--weights': options.weights });
  const input = openInput(path, { context: options.contextWindowSize, weights: options.weights });
  try {
    if (input.module.stage !== 'network') {
      return fail('RC1007', 'the interpreter runs networks, this text is lowered to kernels', {
        place: { file: path },
        help: 'name the text from before `lower`, or run this one with --backend=compiled',
      });
    }
    if (path.endsWith('.rir')) checkSize(input.module, path);
    const { kv, revisit, maxHops } = options;
    const { int8 } = findTarget(undefined, options.dtype).dtype;
    const route = passRoute(options.route, input.module, path);
    const { module } = runPasses(input.module, passesNamed(['radialize', 'quantize']), {
      options: { route, kv, revisit, maxHops, int8 },
    });
    if (module.stage !== 'network') throw new Error('internal: these passes have lowered the network');
    readStored(module, input.source);
    return referenceOf(module, input.source, () => {
      input.close();
    });
  } catch (error) {
    input.close();
    throw error;
  }
}

/** Stored tensors are as large as their files; what a text makes is as large as it says. */
function checkSize({ consts }: Network, path: string): void {
  const made = consts.filter(({ kind }) => kind !== 'tensor');
  const total = made.reduce((sum, { type }) => sum + elements(type, 1), 0);
  if (total <= MAX_MADE) return;
  fail('RC1012', `the constants of the text have ${total} elements, the interpreter makes at most ${MAX_MADE}`, {
    place: { file: path },
    help: 'make them smaller, or compile the text',
  });
}

/**
 * Reads each stored tensor once, so that one that is not finite (RC0119) is refused as it is in a compiled program: also
 * where no token executes its block.
 */
function readStored({ consts }: Network, source: WeightSource): void {
  for (const { kind, attrs, type } of consts) {
    if (kind !== 'tensor') continue;
    const total = elements(type, 1);
    for (let from = 0; from < total; from += SLAB) {
      source.read(stringAttr(attrs, 'name'), from, Math.min(from + SLAB, total));
    }
  }
}

/** The interpreter behind the runtime's checks. */
function referenceOf(network: Network, source: WeightSource, close: () => void): Reference {
  const interpreter = createInterpreter(network, source);
  const routing = routingOf(network);
  const routes = createRoutes(routing);
  return {
    network,
    forward: (item, route, given) => {
      const threshold = thresholdOption(given, routing);
      const router = routes.router(route);
      const image = 'pixelValues' in item;
      requireTask(network, image);
      const ids = image
        ? Array.from({ length: network.context }, () => 0)
        : checkIds(item, vocabularyOf(network) ?? outputsOf(network));
      if (ids.length > network.context) {
        fail('RC0905', `the sequence has ${ids.length} tokens, the context ${network.context} positions`, {
          help: 'shorten it',
        });
      }
      const walks = ids.map((id, position) => router(position, id));
      const result = image
        ? interpreter.runImage(checkPixels(item.pixelValues, imageOf(network)), { walks, threshold })
        : interpreter.runTokens(ids, { walks, threshold });
      return { logits: result.logits, path: result.paths, depth: result.paths.map((path) => path.length) };
    },
    close,
  };
}

function requireTask(network: Network, image: boolean): void {
  if ((network.task === 'image-classification') === image) return;
  fail('RC1007', image ? 'the model takes token ids, not images' : 'the model takes images, not token ids', {
    help: image ? 'give it {"input_ids": [[…]]}' : 'give it {"pixel_values": […]}',
  });
}

function routingOf(network: Network): RoutingInfo {
  const { entry, blocks } = network;
  const { weighting, ...routing } = network.routing;
  const info = ({ successors, router }: Edge): EdgeInfo => ({ successors, router: router?.kind ?? null });
  return {
    ...routing,
    needsWalk: true,
    decides: hasLearnedRouters(network) ? 'hop' : null,
    threshold: routing.threshold ?? DEFAULT_THRESHOLD,
    anchors: routing.anchors ?? 0,
    ...(weighting === 'probability' && { weighting }),
    entry: info(entry.edge),
    blocks: blocks.map(({ id, role, gate, edge }) => ({ id, role, gated: gate !== undefined, ...info(edge) })),
  };
}

function outputsOf({ exit }: Network): number {
  return Number(exit.ops.find(({ result }) => result === exit.result)?.type.shape.at(-1));
}

function imageOf({ entry }: Network): { channels: number; height: number; width: number } {
  const [channels = 0, height = 0, width = 0] = entry.params[0]?.type.shape.map(Number) ?? [];
  return { channels, height, width };
}
