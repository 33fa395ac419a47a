/** @file What the options of `radialc train` ask for: the shape of a new model, the optimizer, what routers are to learn. */
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import type { KvPolicy, Weighting } from '../../../ir/index.ts';
import type { RadialConfig } from '../../frontend/index.ts';
import type { OptimizerOptions, RoutedSettings, TrainSettings } from '../../training/index.ts';
import type { FormatOptions } from '../options.ts';
import { hubSettings } from './hub.ts';
import type { HubOptions } from './hub.ts';
import type { TeacherOptions } from './teacher.ts';

export interface TrainOptions extends FormatOptions, HubOptions, TeacherOptions {
  readonly text: readonly string[];
  readonly heldOut?: readonly string[];
  readonly output: string;
  readonly mode: 'scratch' | 'distill' | 'joint';
  readonly resume?: boolean;
  readonly checkpointEvery: number;
  readonly workers: number;
  readonly steps: number;
  readonly batch: number;
  readonly tokens?: number;
  readonly seed: number;
  readonly optimizer: OptimizerOptions['kind'];
  readonly schedule: OptimizerOptions['schedule'];
  readonly lr: number;
  readonly gateLr: number;
  readonly warmup: number;
  readonly weightDecay: number;
  readonly layerDrop: number;
  readonly targetDepth: number;
  readonly budget: number;
  readonly anneal?: number;
  readonly gateHiddenSize: number;
  readonly kv?: KvPolicy;
  readonly weighting: Weighting;
  readonly anchorTokens: number;
  readonly anchorFirst: number;
  readonly anchorLast: number;
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly vocab: number;
  readonly context: number;
}

const CLIP = 1;
/** Ids in training have 16 bits. */
const MOST_TOKENS = 2 ** 16;

/** @throws RadialError RC1109 */
export function scratchShape({ layers, hidden, heads, vocab, context }: TrainOptions): TrainSettings['shape'] {
  if (hidden % heads !== 0) {
    fail('RC1109', `a width of ${hidden} does not split into ${heads} heads`, {
      help: 'give --hidden that is a multiple of --heads',
    });
  }
  if (vocab > MOST_TOKENS) {
    fail('RC1109', `a vocabulary of ${vocab} tokens is larger than the ${MOST_TOKENS} that are trained`, {
      help: 'give fewer to --vocab',
    });
  }
  return { layers, hidden, heads, ffn: 4 * hidden, vocab, context };
}

/** @throws RadialError RC1109 */
export function settingsOf(
  shape: TrainSettings['shape'],
  options: TrainOptions,
  routed: RoutedSettings | undefined,
): TrainSettings {
  const {
    batch,
    seed,
    steps,
    warmup,
    lr,
    gateLr,
    weightDecay,
    layerDrop,
    workers,
    schedule,
    tokens = shape.context,
  } = options;
  if (tokens > shape.context) {
    fail('RC1109', `sequences of ${tokens} tokens are longer than the context of ${shape.context}`, {
      help: 'give fewer --tokens',
    });
  }
  return {
    shape,
    batch,
    tokens,
    seed,
    optimizer: {
      kind: options.optimizer,
      schedule,
      learningRate: lr,
      ...(routed && { gateFactor: gateLr / lr }),
      warmup,
      steps,
      weightDecay,
      clip: CLIP,
    },
    layerDrop,
    workers,
    ...(routed && { routed }),
  };
}

/** @throws RadialError RC1108, RC1109 */
export function routedOf(
  { layers }: TrainSettings['shape'],
  options: TrainOptions,
  own?: RadialConfig,
): RoutedSettings | undefined {
  const { mode, steps, targetDepth, anneal = Math.floor(steps / 2), router = own?.router ?? 'gate' } = options;
  if (own !== undefined && mode === 'scratch') {
    fail('RC1109', `the model has a ${own.router}, which --mode scratch does not train`, {
      help: 'choose --mode joint, or name a model without routers',
    });
  }
  if (own !== undefined && own.router !== router) {
    fail('RC1109', `the model has a ${own.router} already, --router is ${router}`, { help: 'leave --router out' });
  }
  if (targetDepth < 0 || targetDepth > 1) {
    fail('RC1108', `a mean depth of ${targetDepth} is asked for, which is no share of the blocks`, {
      help: 'give a --target-depth from 0 to 1, as 0.6 for 60 %',
    });
  }
  if (router === 'hub') return hubSettings(2 * layers, { ...options, anneal }, own);
  if (mode === 'scratch') {
    if (options.router === undefined) return undefined;
    return fail('RC1109', 'gates are trained for a model that is there', {
      help: 'leave --router out, then train gates with --mode distill or joint',
    });
  }
  return { mode, anneal, ...gateSettings(layers, options, own) };
}

/** @throws RadialError RC1108 */
function gateSettings(
  layers: number,
  options: TrainOptions,
  own?: RadialConfig,
): Pick<RoutedSettings, 'config' | 'targetDepth' | 'budget'> {
  const { mode, targetDepth, budget, anchorFirst, anchorLast } = options;
  const blocks = 2 * layers;
  const gatedBlocks =
    own?.gatedBlocks ?? Array.from({ length: blocks }, (_, id) => id).slice(anchorFirst, blocks - anchorLast);
  const least = (blocks - gatedBlocks.length) / blocks;
  if (gatedBlocks.length === 0 || targetDepth < least) {
    fail(
      'RC1108',
      `a mean depth of ${targetDepth} of the blocks is asked for, anchors alone make ${least.toFixed(2)}`,
      {
        help: 'give a larger --target-depth, or fewer --anchor-first and --anchor-last blocks',
      },
    );
  }
  const config: RadialConfig = own ?? {
    router: 'gate',
    blocks,
    gatedBlocks,
    hidden: options.gateHiddenSize,
    hopEmbedding: false,
    kv: options.kv ?? 'latest',
    revisit: 'overwrite',
    maxHops: blocks,
    threshold: 0.5,
    anchors: options.anchorTokens,
    weighting: options.weighting,
  };
  if (mode === 'distill' && config.weighting !== 'none') {
    fail('RC1109', 'branches that are scaled by the probabilities of gates are trained together with them', {
      help: 'choose --mode joint, or leave --weighting out',
    });
  }
  return { config, targetDepth, budget };
}
