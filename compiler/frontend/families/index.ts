/** @file The families of models, and the way from a checkpoint of one of them to its network. */
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import type { Place } from '../../../ir/diagnostics/diagnostic.ts';
import type { Network, WeightSource } from '../../../ir/index.ts';
import type { Family, Gpt2Config, LlamaConfig, ModelConfig, OptConfig, VitConfig } from '../config/types.ts';
import { checkTensors, detectPrefix } from './check.ts';
import { compareCopies } from './copies.ts';
import type { Architecture, FamilyDefinition } from './family.ts';
import { gpt2 } from './gpt2.ts';
import { llama } from './llama.ts';
import { opt } from './opt.ts';
import type { TensorSpec } from './tensors.ts';
import { vit } from './vit.ts';

interface ConfigOf {
  readonly opt: OptConfig;
  readonly gpt2: Gpt2Config;
  readonly llama: LlamaConfig;
  readonly vit: VitConfig;
}

const families = { opt, gpt2, llama, vit } satisfies { readonly [F in Family]: FamilyDefinition<ConfigOf[F]> };

/** Positions are counted in f32 where they become angles; from here on neighbours would be one number. */
const MAX_ROTARY_CONTEXT = 2 ** 24;

export interface BuildOptions {
  readonly name: string;
  /** Number of positions; the config's when left out. */
  readonly context?: number | undefined;
  /** File or folder that diagnostics name. */
  readonly source?: string | undefined;
}

/**
 * The plain sequential network of a checkpoint: unfused ops, every block with one successor, the identity in every
 * respect of what the model was trained as. Reads names and shapes, and no weights but a tied head that is stored all the
 * same, which must be the embedding.
 *
 * @throws RadialError RC0250 – RC0255, all that is wrong with the names and shapes of the tensors at once.
 */
export function buildNetwork(config: ModelConfig, weights: WeightSource, options: BuildOptions): Network {
  return withFamily(config.family, config, weights, options);
}

function withFamily<F extends Family>(
  family: F,
  config: ConfigOf[F],
  weights: WeightSource,
  options: BuildOptions,
): Network {
  const definition = definitionOf(family);
  const place: Place = options.source === undefined ? {} : { file: options.source };
  const prefix = detectPrefix(
    definition.prefixes,
    (candidate) => definition.describe(config, candidate).tensors,
    weights,
  );
  const architecture: Architecture = definition.describe(config, prefix);
  checkTensors(weights, {
    title: definition.title,
    needed: architecture.tensors,
    copies: architecture.copies.map(({ copy }) => copy),
    ignored: definition.ignored,
    place,
  });
  const context = chooseContext(definition, config, options, place);
  compareCopies(weights, architecture.copies, place);
  return architecture.build({ name: options.name, context });
}

/** What a checkpoint of this config holds, under the names that Hugging Face writes. */
export function checkpointTensors(config: ModelConfig): readonly TensorSpec[] {
  return tensorsOf(config.family, config);
}

function tensorsOf<F extends Family>(family: F, config: ConfigOf[F]): readonly TensorSpec[] {
  const definition = definitionOf(family);
  return definition.describe(config, definition.prefixes[0] ?? '').tensors;
}

function definitionOf<F extends Family>(family: F): FamilyDefinition<ConfigOf[F]> {
  const table: { readonly [G in Family]: FamilyDefinition<ConfigOf[G]> } = families;
  return table[family];
}

function chooseContext<Config>(
  definition: FamilyDefinition<Config>,
  config: Config,
  options: BuildOptions,
  place: Place,
): number {
  const { count, kind } = definition.positions(config);
  const context = options.context ?? count;
  const [least, most] = { fixed: [count, count], table: [1, count], rotary: [1, MAX_ROTARY_CONTEXT] }[kind] as [
    number,
    number,
  ];
  if (Number.isInteger(context) && context >= least && context <= most) return context;
  const limits = least === most ? `exactly ${count}` : `a whole number from 1 to ${most}`;
  return fail(
    'RC0254',
    `a context of ${context} positions was asked for, this ${definition.title} model has ${limits}`,
    {
      place,
      help: kind === 'fixed' ? 'leave the context out' : `leave the context out to have ${count}`,
    },
  );
}
