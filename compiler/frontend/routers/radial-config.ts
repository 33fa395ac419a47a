/**
 * @file `radial-config.json`: which routers a checkpoint has besides its weights, and how they are meant to be run.
 *
 *     {"format": "radial-config", "version": 1, "router": "gate", "blocks": 24, "gated_blocks": [2, 3, 4],
 *      "router_hidden_size": 0, "kv": "project", "revisit": "overwrite", "max_hops": 24, "threshold": 0.5, "anchor_tokens": 1,
 *      "weighting": "none"}
 *
 * The weights are in `router.safetensors`, see `tensors.ts`.
 */
import { join } from 'node:path';
import * as z from 'zod';
import { flag, numberFrom, readFields, refuse, show, size, valueAt } from '../config/fields.ts';
import type { Weighting } from '../../../ir/index.ts';
import { isPresent } from '../files.ts';
import { readJsonFile } from '../json.ts';
import type { JsonDocument } from '../json.ts';

export const RADIAL_CONFIG = 'radial-config.json';
const FORMAT = 'radial-config';
const VERSION = 1;
const MAX_BLOCKS = 32_768;
const MAX_HOPS = 65_536;

export interface RadialConfig {
  readonly router: 'gate' | 'hub';
  /** Blocks of the model. */
  readonly blocks: number;
  /** Ascending; the others are always executed when a token comes to them. Only of gates. */
  readonly gatedBlocks: readonly number[];
  /** Width of the router's inner layer; 0: it is linear. */
  readonly hidden: number;
  /** Whether a hub knows how many hops the token has made. */
  readonly hopEmbedding: boolean;
  readonly kv: 'absent' | 'project' | 'latest';
  readonly revisit: 'overwrite' | 'append';
  readonly maxHops: number;
  /** Probability that a gate's score must exceed. */
  readonly threshold: number;
  /** Tokens at positions before this one skip nothing. */
  readonly anchors: number;
  /** By what blocks scale what they add: nothing, or the probability that the router gave them in training too. */
  readonly weighting: Weighting;
}

const block = z.int({ error: 'must be a block number' }).min(0, { error: 'must be a block number' });

const schema = z.object({
  router: z.enum(['gate', 'hub'], { error: 'must be "gate" or "hub"' }),
  blocks: size(MAX_BLOCKS),
  gated_blocks: z.array(block, { error: 'must be a list of block numbers' }).default([]),
  router_hidden_size: z.literal(0).or(size()).default(0),
  hop_embedding: flag().default(false),
  kv: z.enum(['absent', 'project', 'latest'], { error: 'must be "absent", "project" or "latest"' }).default('absent'),
  revisit: z.enum(['overwrite', 'append'], { error: 'must be "overwrite" or "append"' }).default('overwrite'),
  max_hops: size(MAX_HOPS),
  threshold: numberFrom(0, 1).default(0.5),
  anchor_tokens: z.literal(0).or(size()).default(0),
  weighting: z.enum(['none', 'probability'], { error: 'must be "none" or "probability"' }).default('none'),
});

/**
 * What the folder's `radial-config.json` says; undefined where there is none.
 * @throws RadialError RC0204, RC0271, RC0272, what reading a JSON file can end with
 */
export function readRadialConfig(
  dir: string,
): { readonly config: RadialConfig; readonly document: JsonDocument } | undefined {
  if (!isPresent(join(dir, RADIAL_CONFIG))) return undefined;
  const document = readJsonFile(dir, RADIAL_CONFIG);
  checkFormat(document);
  const fields = readFields(document, schema);
  const { blocks, gated_blocks: gated } = fields;
  const at = gated.findIndex((id, i) => id >= blocks || id <= (gated[i - 1] ?? -1));
  if (at >= 0) {
    const expected = `ascending numbers below ${blocks}`;
    refuse(
      document,
      'RC0272',
      ['gated_blocks', at],
      `block ${show(gated[at])} of gated_blocks is not one of ${expected}`,
      'use the radial-config.json that came with the routers',
    );
  }
  return {
    document,
    config: {
      router: fields.router,
      blocks,
      gatedBlocks: gated,
      hidden: fields.router_hidden_size,
      hopEmbedding: fields.hop_embedding,
      kv: fields.kv,
      revisit: fields.revisit,
      maxHops: fields.max_hops,
      threshold: fields.threshold,
      anchors: fields.anchor_tokens,
      weighting: fields.weighting,
    },
  };
}

function checkFormat(document: JsonDocument): void {
  for (const [field, expected] of Object.entries({ format: FORMAT, version: VERSION })) {
    const found = valueAt(document.value, [field]);
    if (found === expected) continue;
    refuse(
      document,
      'RC0271',
      [field],
      `${field} is ${show(found)}, expected ${show(expected)}`,
      'write the file with this version of `radialc train`, or compile with the version that wrote it',
    );
  }
}

/** The text of the file. */
export function radialConfigText(config: RadialConfig): string {
  const fields = {
    format: FORMAT,
    version: VERSION,
    router: config.router,
    blocks: config.blocks,
    gated_blocks: config.gatedBlocks,
    router_hidden_size: config.hidden,
    hop_embedding: config.hopEmbedding,
    kv: config.kv,
    revisit: config.revisit,
    max_hops: config.maxHops,
    threshold: config.threshold,
    anchor_tokens: config.anchors,
    ...(config.weighting !== 'none' && { weighting: config.weighting }),
  };
  return `${JSON.stringify(fields, null, 1)}\n`;
}
