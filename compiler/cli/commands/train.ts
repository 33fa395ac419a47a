/** @file `radialc train`: a model from scratch, gates for a model, or both together. */
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import type { KvPolicy, Weighting } from '../../../ir/index.ts';
import type { RadialConfig } from '../../frontend/index.ts';
import { readNamed } from '../../frontend/index.ts';
import type { OptimizerOptions, RoutedSettings, SessionRequest, TrainSettings } from '../../training/index.ts';
import type { Io } from '../io.ts';
import { folderName, formatOption, realNumber, wholeNumber } from '../options.ts';
import type { FormatOptions } from '../options.ts';
import { addHubOptions, hubSettings } from '../train-hub.ts';
import type { HubOptions } from '../train-hub.ts';
import { addTeacherOptions, teacherOf } from '../train-teacher.ts';
import type { TeacherOptions } from '../train-teacher.ts';
import { createReporter } from '../train-report.ts';

interface TrainOptions extends FormatOptions, HubOptions, TeacherOptions {
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
/** Longer texts are not read. */
const MAX_TEXT_BYTES = 2 ** 30;

export function trainCommand(io: Io): Command {
  const count = wholeNumber(1);
  const share = realNumber(0, 1);
  const command = new Command('train')
    .description(
      'train a small OPT on text: without routers (scratch), gates for one (distill), or routers and model together (joint)',
    )
    .argument('[model]', 'the checkpoint to begin with; --mode scratch can do without')
    .requiredOption('--text <file...>', 'texts to train on, UTF-8')
    .option('--held-out <file...>', 'texts that are measured at each checkpoint')
    .requiredOption('-o, --output <dir>', 'folder of the run; OUTPUT/model is the checkpoint', folderName)
    .addOption(
      new Option('--mode <mode>', 'what is trained').choices(['scratch', 'distill', 'joint']).default('distill'),
    )
    .option('--resume', 'continue the run in that folder')
    .option('--checkpoint-every <n>', 'steps between two checkpoints', count, 100)
    .option('--workers <n>', 'threads that share each batch', count, 1)
    .option('--steps <n>', 'steps in all', count, 1000)
    .option('--batch <n>', 'sequences of a step', count, 8)
    .option('--tokens <n>', 'tokens of a sequence (default: the context of the model)', count)
    .option('--seed <n>', 'of first weights, order and noise', wholeNumber(0), 1)
    .addOption(
      new Option('--optimizer <name>', 'of the matrices of the model').choices(['adamw', 'muon']).default('adamw'),
    )
    .addOption(
      new Option('--schedule <name>', 'how the learning rate ends').choices(['cosine', 'trapezoid']).default('cosine'),
    )
    .option('--lr <x>', 'highest learning rate of the model', realNumber(0), 0.003)
    .option('--gate-lr <x>', 'highest learning rate of the gates', realNumber(0), 0.0006)
    .option('--warmup <n>', 'steps until it is reached', wholeNumber(0), 50)
    .option('--weight-decay <x>', 'of the matrices', realNumber(0), 0.05)
    .option('--layer-drop <p>', 'scratch: chance that the last block is left out; earlier ones in proportion', share, 0)
    .option(
      '--target-depth <p>',
      'mean share of the blocks that a token is to execute; of a hub, of its hop cap',
      share,
      0.6,
    )
    .option('--budget <x>', 'what a squared deviation from it costs, in nats', realNumber(0), 50)
    .option('--anneal <n>', 'steps in which the target falls from 1 (default: half of all)', wholeNumber(0))
    .option('--gate-hidden-size <n>', 'width of the inner layer of a gate; 0: it is linear', wholeNumber(0), 0)
    .addOption(
      new Option(
        '--kv <policy>',
        'what an attention block knows of a token that skipped it (default: latest, with a hub absent)',
      ).choices(['absent', 'project', 'latest']),
    )
    .addOption(
      new Option(
        '--weighting <kind>',
        'joint: by what a block scales what it adds, nothing or the probability of its gate',
      )
        .choices(['none', 'probability'])
        .default('none'),
    )
    .option('--anchor-tokens <n>', 'the first tokens that skip nothing', wholeNumber(0), 1)
    .option('--anchor-first <n>', 'the first blocks that no token skips', wholeNumber(0), 0)
    .option('--anchor-last <n>', 'the last ones', wholeNumber(0), 0)
    .option('--layers <n>', 'scratch: layers', count, 12)
    .option('--hidden <n>', 'scratch: width; the MLP is four times as wide', count, 96)
    .option('--heads <n>', 'scratch: attention heads', count, 4)
    .option('--vocab <n>', 'scratch: tokens of the vocabulary', wholeNumber(261), 1024)
    .option('--context <n>', 'scratch: most tokens that the model takes', count, 256)
    .addOption(formatOption());
  return addHubOptions(addTeacherOptions(command))
    .addHelpText(
      'after',
      '\nA model that has gates or a hub goes on with them; --kv, --weighting, --max-hops, --anchor-… and --…-hidden-size are then theirs.\n' +
        'OUTPUT/log.jsonl has a line for each step. Ctrl-C saves; the same command with --resume goes on, bit for bit.\n' +
        '\nExamples:\n  $ radialc train --mode scratch --text *.txt -o run --steps 4000 --optimizer muon --workers 2\n' +
        '  $ radialc train run/model --mode distill --text *.txt -o gates --target-depth 0.7\n' +
        '  $ radialc train run/model --mode joint --text *.txt -o routed --target-depth 0.6 --lr 0.001 --teacher run/model\n' +
        '  $ radialc train --mode scratch --router hub --layers 4 --max-hops 24 --target-depth 0.67 --text *.txt -o hub\n' +
        '  $ radialc compile routed/model -o program',
    )
    .action(async (model: string | undefined, options: TrainOptions) => {
      await run(model, options, io);
    });
}

async function run(model: string | undefined, options: TrainOptions, io: Io): Promise<void> {
  const { mode, steps, output } = options;
  if (model === undefined && mode !== 'scratch') {
    fail('RC1109', `--mode ${mode} needs a model`, { help: 'name a checkpoint folder' });
  }
  const request = await requestOf(model, options, io);
  // TensorFlow.js is loaded only where it is used.
  const { runSession } = await import('../../training/index.ts');
  const report = createReporter(request.settings, options, io);
  const done = await runSession({ ...request, ...report });
  const folder = join(output, 'model');
  if (done < steps) {
    io.err(`what is done is in ${output}; the same command with --resume goes on`);
    io.signal.throwIfAborted();
  }
  if (options.format === 'text') io.out(`done: ${folder}`);
}

async function requestOf(
  model: string | undefined,
  options: TrainOptions,
  io: Io,
): Promise<Omit<SessionRequest, 'onStep' | 'onCheckpoint' | 'onBegin'>> {
  const { joinTexts, loadTrainedModel, openTokenizer, tokenizerFiles, trainBpe } =
    await import('../../training/index.ts');
  const texts = options.text.map(readText);
  const base = model === undefined ? undefined : loadTrainedModel(model);
  const shape = base?.shape ?? scratchShape(options);
  const tokenizer = base?.tokenizer ?? tokenizerFiles(trainBpe(texts, shape.vocab), shape.context);
  const codec = base?.codec ?? openTokenizer(tokenizer);
  const encode = (all: readonly string[]): Uint16Array =>
    joinTexts(
      all.map((text) => codec.encode(text)),
      shape.vocab,
    );
  const gates = base?.gates;
  const settings = settingsOf(shape, options, routedOf(shape, options, gates?.config));
  const teacher = await teacherOf(options, settings.tokens, tokenizer);
  return {
    out: options.output,
    resume: options.resume ?? false,
    settings: { ...settings, ...teacher.settings },
    text: encode(texts),
    ...(options.heldOut && { heldOut: encode(options.heldOut.map(readText)) }),
    tokenizer,
    model: base?.parameters,
    stored: base?.stored,
    teacher: teacher.parameters,
    gates,
    checkpointEvery: options.checkpointEvery,
    signal: io.signal,
  };
}

function scratchShape({ layers, hidden, heads, vocab, context }: TrainOptions): TrainSettings['shape'] {
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

function settingsOf(
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
function routedOf(
  { layers }: TrainSettings['shape'],
  options: TrainOptions,
  own?: RadialConfig,
): RoutedSettings | undefined {
  const { mode, steps, anneal = Math.floor(steps / 2), router = own?.router ?? 'gate' } = options;
  if (own !== undefined && mode === 'scratch') {
    fail('RC1109', `the model has a ${own.router}, which --mode scratch does not train`, {
      help: 'choose --mode joint, or name a model without routers',
    });
  }
  if (own !== undefined && own.router !== router) {
    fail('RC1109', `the model has a ${own.router} already, --router is ${router}`, { help: 'leave --router out' });
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

/** @throws RadialError RC1110, what reading a file can end with */
function readText(file: string): string {
  const bytes = readNamed(file, MAX_TEXT_BYTES);
  let text: string | undefined;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    // Told below.
  }
  if (text !== undefined && text.trim() !== '') return text;
  return fail('RC1110', text === undefined ? 'the text is not valid UTF-8' : 'the text is empty', {
    place: { file },
    help: text === undefined ? 'save it as UTF-8' : 'leave it out',
  });
}
