/** @file The options of `radialc train` that are of a hub, and what they ask for. */
import { Option } from 'commander';
import type { Command } from 'commander';
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import type { KvPolicy, Weighting } from '../../../ir/index.ts';
import type { RadialConfig } from '../../frontend/index.ts';
import type { RoutedSettings } from '../../training/index.ts';
import { realNumber, wholeNumber } from '../options.ts';

export interface HubOptions {
  readonly router?: RadialConfig['router'];
  readonly maxHops?: number;
  readonly firstHops?: number;
  readonly hubHiddenSize: number;
  readonly passes: number;
  readonly unroll: number;
  readonly balance: number;
  readonly noise: number;
}

/** What else a hub's settings depend on. */
interface CommonOptions {
  readonly mode: 'scratch' | 'distill' | 'joint';
  readonly kv?: KvPolicy;
  readonly weighting: Weighting;
  readonly layerDrop: number;
  readonly targetDepth: number;
  readonly budget: number;
  readonly anneal: number;
  readonly anchorTokens: number;
  readonly anchorFirst: number;
  readonly anchorLast: number;
  readonly gateHiddenSize: number;
}

export function addHubOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--router <kind>', 'what decides (default: that of the model, or gates)').choices(['gate', 'hub']),
    )
    .option(
      '--max-hops <n>',
      'hub: most blocks that a token executes (default: three times all; distill: all)',
      wholeNumber(1),
    )
    .option(
      '--first-hops <n>',
      'hub: how many, in order, it begins with (default: as --target-depth; distill: all)',
      wholeNumber(1),
    )
    .option('--hub-hidden-size <n>', 'hub: width of its inner layer', wholeNumber(1), 32)
    .option('--passes <n>', 'hub: walks before the one whose loss is trained', wholeNumber(0), 1)
    .option('--unroll <n>', 'hub: of these, how many the gradient goes back through', wholeNumber(0), 0)
    .option('--balance <x>', 'hub: what uneven use of the blocks costs, in nats', realNumber(0), 0.01)
    .option(
      '--noise <x>',
      'hub: noise of the decisions before it falls; 1 draws from its probabilities',
      realNumber(0),
      1,
    );
}

/**
 * The settings for a new hub, or for `own` of a model.
 * @throws RadialError RC1108, RC1109
 */
export function hubSettings(blocks: number, options: HubOptions & CommonOptions, own?: RadialConfig): RoutedSettings {
  const { targetDepth, budget, anneal, passes, unroll, balance, noise } = options;
  const mode = options.mode === 'distill' ? 'distill' : 'joint';
  const { maxHops = mode === 'distill' ? blocks : 3 * blocks } = options;
  const config: RadialConfig = own ?? {
    router: 'hub',
    blocks,
    gatedBlocks: [],
    hidden: options.hubHiddenSize,
    hopEmbedding: true,
    kv: options.kv ?? 'absent',
    revisit: 'overwrite',
    maxHops,
    threshold: 0.5,
    anchors: options.anchorTokens,
    weighting: options.weighting,
  };
  const planned = mode === 'distill' && own === undefined ? blocks : Math.round(targetDepth * config.maxHops);
  const firstHops = options.firstHops ?? Math.min(config.maxHops, Math.max(1, planned));
  refuseUntrainable(config, options);
  if (unroll > passes) {
    fail('RC1109', `the gradient cannot go back through ${unroll} of ${passes} passes`, {
      help: 'give fewer to --unroll or more to --passes',
    });
  }
  if (own === undefined) refuseUnplannable(config, firstHops);
  if (targetDepth === 0) {
    fail('RC1108', 'a mean of 0 hops is asked for', {
      help: 'give a larger --target-depth: hops as a share of the hop cap',
    });
  }
  return { mode, config, targetDepth, budget, anneal, hub: { passes, unroll, firstHops, balance, noise } };
}

/** @throws RadialError RC1109 */
function refuseUntrainable(
  { kv, revisit, weighting }: RadialConfig,
  options: CommonOptions & Pick<HubOptions, 'unroll'>,
): void {
  const { mode, unroll, layerDrop, anchorFirst, anchorLast, gateHiddenSize } = options;
  if (mode === 'distill' && unroll > 0) {
    fail('RC1109', '--unroll is for models that are trained with their hub', {
      help: 'leave it out, or use --mode joint',
    });
  }
  if (kv !== 'absent' || revisit !== 'overwrite') {
    fail('RC1109', `hubs are trained with the KV policy absent and revisits that overwrite, not ${kv} and ${revisit}`, {
      help: 'leave --kv out, and begin with a model that has no hub, or such a one',
    });
  }
  if (weighting !== 'none') {
    fail('RC1109', 'hubs are trained without weighting', { help: 'leave --weighting out, or use --router gate' });
  }
  if (anchorFirst + anchorLast + gateHiddenSize > 0) {
    fail('RC1109', '--anchor-first, --anchor-last and --gate-hidden-size are for gates', {
      help: 'leave them out, or use --router gate',
    });
  }
  if (layerDrop > 0) {
    fail('RC1109', '--layer-drop is for models without routers', { help: 'leave it out: the hub leaves blocks out' });
  }
}

/** @throws RadialError RC1109 */
function refuseUnplannable({ hidden, blocks, maxHops }: RadialConfig, firstHops: number): void {
  if (firstHops > maxHops) {
    fail('RC1109', `the first ${firstHops} hops are more than the hop cap of ${maxHops}`, {
      help: 'give fewer --first-hops or more --max-hops',
    });
  }
  if (hidden <= blocks) {
    fail('RC1109', `an inner layer of ${hidden} is too narrow for a hub of ${blocks} blocks and the exit`, {
      help: `give --hub-hidden-size of at least ${blocks + 1}`,
    });
  }
}
