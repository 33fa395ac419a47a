/** @file Reads `config.json`: chooses the family, refuses what no family supports. */
import { nearest } from '../../../ir/diagnostics/diagnostic.ts';
import { isJsonObject } from '../json.ts';
import type { JsonDocument } from '../json.ts';
import { isGiven, refuse, refuseOptions, show, valueAt } from './fields.ts';
import { readGpt2Config } from './gpt2.ts';
import { readLlamaConfig } from './llama.ts';
import { readOptConfig } from './opt.ts';
import type { Family, ModelConfig } from './types.ts';
import { readVitConfig } from './vit.ts';

interface FamilyReader {
  readonly read: (document: JsonDocument) => ModelConfig;
  /** Classes of transformers whose outputs the compiled program gives. */
  readonly architectures: readonly string[];
}

const families: Readonly<Record<Family, FamilyReader>> = {
  opt: { read: readOptConfig, architectures: ['OPTForCausalLM', 'OPTModel'] },
  gpt2: { read: readGpt2Config, architectures: ['GPT2LMHeadModel', 'GPT2Model'] },
  llama: { read: readLlamaConfig, architectures: ['LlamaForCausalLM', 'LlamaModel'] },
  vit: { read: readVitConfig, architectures: ['ViTForImageClassification'] },
};

const MAX_NAME_CHARS = 64;

/**
 * The normalised configuration that a `config.json` describes.
 * @throws RadialError RC0202 – RC0210
 */
export function readConfig(document: JsonDocument): ModelConfig {
  if (!isJsonObject(document.value)) {
    refuse(
      document,
      'RC0202',
      [],
      `the configuration must be an object, found ${show(document.value)}`,
      'use the config.json that belongs to these weights',
    );
  }
  const family = families[readFamily(document)];
  if (isGiven(document.value['quantization_config'])) {
    refuse(
      document,
      'RC0209',
      ['quantization_config'],
      'the weights are quantised',
      'compile the checkpoint that it was quantised from',
    );
  }
  refuseOptions(document, { is_encoder_decoder: [false], add_cross_attention: [false] });
  refusePruned(document);
  checkArchitecture(document, family.architectures);
  return family.read(document);
}

function readFamily(document: JsonDocument): Family {
  const name = valueAt(document.value, ['model_type']);
  const known = Object.keys(families);
  const supported = `supported: ${known.join(', ')}`;
  if (typeof name !== 'string') {
    refuse(document, 'RC0203', ['model_type'], `model_type must name a family, found ${show(name)}`, supported);
  }
  if (isFamily(name)) return name;
  const near = name.length > MAX_NAME_CHARS ? undefined : nearest(name.toLowerCase(), known);
  const help = near === undefined ? supported : `did you mean "${near}"? ${supported}`;
  return refuse(document, 'RC0203', ['model_type'], `the family ${show(name)} is not supported`, help);
}

function isFamily(name: string): name is Family {
  return Object.hasOwn(families, name);
}

/** Heads that are taken away after loading; `auto_map`, other people's code, is passed over as transformers does. */
function refusePruned(document: JsonDocument): void {
  const pruned = valueAt(document.value, ['pruned_heads']);
  if (!isGiven(pruned) || (typeof pruned === 'object' && Object.keys(pruned).length === 0)) return;
  refuse(
    document,
    'RC0208',
    ['pruned_heads'],
    `pruned_heads ${show(pruned)} is not supported`,
    'compile the checkpoint as it was before its heads were pruned',
  );
}

/** A list without entries says as little as none. */
function checkArchitecture(document: JsonDocument, supported: readonly string[]): void {
  const architectures = valueAt(document.value, ['architectures']);
  const list: readonly unknown[] | undefined = Array.isArray(architectures) ? architectures : undefined;
  if (!isGiven(architectures) || list?.length === 0) return;
  if (list?.some((name) => typeof name === 'string' && supported.includes(name)) === true) return;
  refuse(
    document,
    'RC0210',
    ['architectures'],
    `architectures ${show(architectures)} is not supported`,
    `supported here: ${supported.join(', ')}`,
  );
}
