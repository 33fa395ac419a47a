/**
 * @file The tensors of `router.safetensors`. d is the model's hidden size, h the router's; linear maps are [out, in].
 *
 *     router.gate.3.weight [1, d], .bias [1]                                a linear gate of block 3
 *     router.gate.3.up.weight [h, d], .up.bias [h], .down.weight [1, h], .down.bias [1]       one with an inner layer
 *     router.hub.up.weight [h, d], .up.bias [h], .down.weight [blocks + 1, h], .down.bias [blocks + 1]
 *     router.hub.hops.weight [max_hops, h]                                  added to the inner layer, by hops so far
 */
import type { RadialConfig } from './radial-config.ts';

export const ROUTER_FILE = 'router.safetensors';

export interface RouterTensor {
  readonly name: string;
  readonly shape: readonly number[];
}

/** A linear map by the names of its tensors. */
export interface RouterLinear {
  readonly weight: RouterTensor;
  readonly bias: RouterTensor;
}

/** The layers of one router: `up` where it has an inner layer. */
export interface RouterLayers {
  readonly up: RouterLinear | undefined;
  readonly hops: RouterTensor | undefined;
  readonly down: RouterLinear;
}

export function gateLayers(config: RadialConfig, block: number, width: number): RouterLayers {
  const stem = `router.gate.${block}`;
  const { hidden } = config;
  if (hidden === 0) return { up: undefined, hops: undefined, down: linear(stem, 1, width) };
  return { up: linear(`${stem}.up`, hidden, width), hops: undefined, down: linear(`${stem}.down`, 1, hidden) };
}

export function hubLayers({ hidden, hopEmbedding, maxHops, blocks }: RadialConfig, width: number): RouterLayers {
  if (hidden === 0) return { up: undefined, hops: undefined, down: linear('router.hub', blocks + 1, width) };
  return {
    up: linear('router.hub.up', hidden, width),
    hops: hopEmbedding ? { name: 'router.hub.hops.weight', shape: [maxHops, hidden] } : undefined,
    down: linear('router.hub.down', blocks + 1, hidden),
  };
}

/** All tensors of the routers, in the order of the file. */
export function routerTensors(config: RadialConfig, width: number): readonly RouterTensor[] {
  const layers =
    config.router === 'hub'
      ? [hubLayers(config, width)]
      : config.gatedBlocks.map((block) => gateLayers(config, block, width));
  return layers.flatMap(({ up, hops, down }) => [
    ...(up === undefined ? [] : [up.weight, up.bias]),
    ...(hops === undefined ? [] : [hops]),
    down.weight,
    down.bias,
  ]);
}

function linear(stem: string, out: number, inner: number): RouterLinear {
  return { weight: { name: `${stem}.weight`, shape: [out, inner] }, bias: { name: `${stem}.bias`, shape: [out] } };
}
