/** @file What the compiler starts from: a checkpoint folder, or a module in text form with its tensors elsewhere. */
import { join } from 'node:path';
import { checkNetwork, fail, parseModule } from '../ir/index.ts';
import type { KernelProgram, Network, WeightSource } from '../ir/index.ts';
import { bosRule } from './artifact/index.ts';
import type { BosRule, ExtraFile } from './artifact/index.ts';
import {
  isPresent,
  loadCheckpoint,
  openWeights,
  readNamed,
  readTokenizer,
  withRouterWeights,
} from './frontend/index.ts';
import type { ModelConfig } from './frontend/index.ts';
import type { Tokens } from '../runtime/artifact/index.ts';

export interface Input {
  readonly module: Network | KernelProgram;
  readonly source: WeightSource;
  readonly family: string;
  readonly tokens: Tokens;
  /** Names of the outputs of a classifier, as a manifest may hold them; or nothing. */
  readonly labels: readonly string[];
  /** Files of the tokenizer, to go into the artifact. */
  readonly tokenizer: readonly ExtraFile[];
  readonly close: () => void;
}

export interface InputOptions {
  /** Most positions; for checkpoints. */
  readonly context?: number | undefined;
  /** For a text: the folder with the tensors that it names. */
  readonly weights?: string | undefined;
}

/** Longer texts are not opened: the reader takes 4 Mi characters, which have at most 3 bytes each. */
const MAX_TEXT_BYTES = 3 * 4 * 2 ** 20;
/** The longest string of a manifest. */
const MAX_LABEL = 1000;

/**
 * Opens a checkpoint folder, or a file `*.rir`. The caller closes it.
 * @throws RadialError RC01xx to RC03xx (checkpoint), RC0132, RC0134, RC0155, RC04xx, RC05xx, RC1003, RC1008 (text)
 */
export function openInput(path: string, options: InputOptions = {}): Input {
  return path.endsWith('.rir') ? openText(path, options.weights) : openFolder(path, options.context);
}

function openFolder(dir: string, context: number | undefined): Input {
  const { network, weights, checkpoint } = loadCheckpoint(dir, { context });
  const close = (): void => {
    checkpoint.close();
  };
  try {
    const { config } = checkpoint;
    const { files, tokenizer, tokenizerConfig } = readTokenizer(checkpoint);
    const rule = bosRule(tokenizer?.value, tokenizerConfig?.value, 'bosTokenId' in config ? config.bosTokenId : null);
    const bos = 'vocab' in config ? checkedBos(rule, config.vocab, dir) : rule;
    return {
      module: network,
      source: weights,
      family: config.family,
      tokens: { ...bos, eos: 'eosTokenIds' in config ? config.eosTokenIds : [] },
      labels: labelsOf(config),
      tokenizer: files,
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

function labelsOf(config: ModelConfig): readonly string[] {
  if (config.family !== 'vit') return [];
  return config.labelNames.map((name) =>
    // Where the cut goes through a surrogate pair, its first half goes too.
    name.length <= MAX_LABEL ? name : `${name.slice(0, MAX_LABEL - 1).replace(/[\ud800-\udbff]$/, '')}…`,
  );
}

/** An id outside of the vocabulary starts no text; a tokenizer that wants it is not that of the model. */
function checkedBos(rule: BosRule, vocab: number, dir: string): BosRule {
  const { bos, addBos } = rule;
  if (bos === null || (Number.isInteger(bos) && bos >= 0 && bos < vocab)) return rule;
  if (!addBos) return { bos: null, addBos };
  return fail('RC0302', `the tokenizer starts texts with the id ${bos}, the model has ${vocab} tokens`, {
    place: { file: join(dir, 'tokenizer.json') },
    help: 'is this tokenizer that of the model?',
  });
}

function openText(path: string, folder: string | undefined): Input {
  const module = parseModule(readText(path), path);
  if (module.stage === 'network') checkNetwork(module, path);
  const weights = folder === undefined ? undefined : withRouterWeights(folder, openWeights(folder));
  const close = (): void => {
    weights?.close();
  };
  try {
    const source: WeightSource = weights ?? noTensors(path);
    checkTensors(module, source, path);
    const tokens: Tokens = { bos: null, addBos: false, eos: [] };
    return { module, source, family: 'rir', tokens, labels: [], tokenizer: [], close };
  } catch (error) {
    close();
    throw error;
  }
}

function readText(path: string): string {
  const place = { file: path };
  if (!isPresent(path)) fail('RC1003', 'there is no such file', { place, help: 'name a file *.rir that exists' });
  const bytes = readNamed(path, MAX_TEXT_BYTES);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return fail('RC1003', 'the text is not valid UTF-8', { place, help: 'IR texts are UTF-8; save it so' });
  }
}

function noTensors(path: string): WeightSource {
  return {
    shape: () => undefined,
    names: () => [],
    read: () =>
      fail('RC1008', 'the text names tensors, but no folder with weights was given', {
        place: { file: path },
        help: 'name it with --weights DIR',
      }),
  };
}

/** Every `tensor` constant must exist, with its written shape. */
function checkTensors({ consts }: { readonly consts: Network['consts'] }, source: WeightSource, path: string): void {
  for (const { kind, attrs, type, span } of consts) {
    if (kind !== 'tensor') continue;
    const name = String(attrs['name']);
    const found = source.shape(name);
    if (found?.join() === type.shape.join()) continue;
    fail(
      'RC1008',
      found === undefined
        ? `there is no tensor ${JSON.stringify(name)}`
        : `tensor ${JSON.stringify(name)} is [${found.join(', ')}], the text says [${type.shape.join(', ')}]`,
      {
        place: { file: path, ...(span !== undefined && { line: span.line, column: span.column }) },
        help: 'name the folder with the model.safetensors that the text was made from: --weights DIR',
      },
    );
  }
}
