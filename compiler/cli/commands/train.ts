/** @file `radialc train`: a model from scratch, routers for a model, or both together. */
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import { readNamed } from '../../frontend/index.ts';
import type { SessionRequest } from '../../training/index.ts';
import type { Io } from '../io.ts';
import { folderName, formatOption, realNumber, wholeNumber } from '../options.ts';
import { addHubOptions } from '../train/hub.ts';
import { createReporter } from '../train/report.ts';
import { routedOf, scratchShape, settingsOf } from '../train/settings.ts';
import type { TrainOptions } from '../train/settings.ts';
import { addTeacherOptions, teacherOf } from '../train/teacher.ts';

/** Longer texts are not read. */
const MAX_TEXT_BYTES = 2 ** 30;

export function trainCommand(io: Io): Command {
  const count = wholeNumber(1);
  const share = realNumber(0, 1);
  const command = new Command('train')
    .description(
      'train a small OPT on text: without routers (scratch), routers for one (distill), or both together (joint)',
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
      'mean share of the blocks that a token is to execute, 0 to 1; of a hub, of its hop cap',
      realNumber(-Infinity),
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
