/**
 * @file Trains the bundled model from scratch: tokenizer, then an OPT of 12 layers, on the State of the Union addresses.
 *
 *     npm run example -- examples/sotu-opt/train.ts --out .cache/training/sotu-opt
 *
 * OUT/model is a Hugging Face checkpoint, written at every checkpoint; OUT/state.safetensors is what --resume continues
 * from; OUT/log.jsonl has a line for each step. Ctrl-C saves and stops.
 */
import { join } from 'node:path';
import { Command, Option } from 'commander';
import {
  joinTexts,
  loadTrainedModel,
  openTokenizer,
  optimizers,
  runSession,
  schedules,
  tokenizerFiles,
  trainBpe,
} from '../../compiler/training/index.ts';
import type { OptimizerOptions, StepReport, TrainSettings } from '../../compiler/training/index.ts';
import { RadialError, formatDiagnostic } from '../../ir/index.ts';
import { isHeldOut, readAddresses } from './corpus.ts';

interface Options {
  readonly out: string;
  readonly resume: boolean;
  readonly from?: string;
  readonly steps: number;
  readonly seed: number;
  readonly batch: number;
  readonly tokens: number;
  readonly optimizer: OptimizerOptions['kind'];
  readonly schedule: OptimizerOptions['schedule'];
  readonly lr: number;
  readonly warmup: number;
  readonly weightDecay: number;
  readonly layerDrop: number;
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly vocab: number;
  readonly context: number;
  readonly checkpointEvery: number;
  readonly workers: number;
}

const CLIP = 1;

const options = new Command('train')
  .description('Trains a small OPT on the State of the Union addresses.')
  .option('--out <dir>', 'folder of the run', '.cache/training/sotu-opt')
  .option('--resume', 'continue the run in that folder', false)
  .option('--from <dir>', 'begin with the weights of this checkpoint, not with random ones')
  .option(
    '--steps <n>',
    'steps in all; with --schedule trapezoid, --resume may change it before the learning rate falls',
    Number,
    3200,
  )
  .option('--seed <n>', 'of the first weights and of the order of the text', Number, 1)
  .option('--batch <n>', 'sequences per step', Number, 8)
  .option('--tokens <n>', 'tokens per sequence', Number, 256)
  .addOption(new Option('--optimizer <name>', 'of the matrices').choices(optimizers).default('muon'))
  .addOption(new Option('--schedule <name>', 'how the learning rate ends').choices(schedules).default('trapezoid'))
  .option('--lr <x>', 'highest learning rate', Number, 0.004)
  .option('--warmup <n>', 'steps until the learning rate is reached', Number, 100)
  .option('--weight-decay <x>', 'of the matrices', Number, 0.05)
  .option(
    '--layer-drop <x>',
    'chance that the last block is left out of a step; earlier ones in proportion',
    Number,
    0.2,
  )
  .option('--layers <n>', 'layers', Number, 12)
  .option('--hidden <n>', 'width; the MLP is four times as wide', Number, 96)
  .option('--heads <n>', 'attention heads', Number, 4)
  .option('--vocab <n>', 'tokens of the vocabulary', Number, 1024)
  .option('--context <n>', 'the most tokens that the model takes', Number, 256)
  .option('--workers <n>', 'threads that share each batch', Number, 2)
  .option('--checkpoint-every <n>', 'steps between two checkpoints', Number, 300)
  .parse()
  .opts<Options>();

async function main(): Promise<void> {
  const addresses = readAddresses();
  const training = addresses.filter((address) => !isHeldOut(address)).map(({ text }) => text);
  const held = addresses.filter(isHeldOut).map(({ text }) => text);
  const tokenizer = tokenizerFiles(trainBpe(training, options.vocab), options.context);
  const codec = openTokenizer(tokenizer);
  const text = joinTexts(training.map((address) => codec.encode(address)));
  const heldOut = joinTexts(held.map((address) => codec.encode(address)));
  const settings = settingsOf(options);
  const interrupt = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      interrupt.abort();
    });
  }
  const step = await runSession({
    out: options.out,
    resume: options.resume,
    settings,
    text,
    heldOut,
    tokenizer,
    model: options.from === undefined ? undefined : loadTrainedModel(options.from, settings.shape).parameters,
    checkpointEvery: options.checkpointEvery,
    signal: interrupt.signal,
    onBegin: ({ parameters, step: done }) => {
      print(
        `${parameters} parameters; ${text.length} tokens to train on, ${heldOut.length} held out; ` +
          `from step ${done} to ${options.steps}`,
      );
    },
    onStep: createReporter(settings),
    onCheckpoint: (checkpoint) => {
      print(`step ${checkpoint.step}: saved; held out ${checkpoint.heldOut?.loss.toFixed(4) ?? '-'} nats per token`);
    },
  });
  print(step < options.steps ? 'interrupted; continue with --resume' : `done: ${join(options.out, 'model')}`);
}

function settingsOf(given: Options): TrainSettings {
  const { layers, hidden, heads, vocab, context } = given;
  const { batch, tokens, seed, steps, warmup, lr, weightDecay, layerDrop, workers, schedule } = given;
  return {
    shape: { layers, hidden, heads, ffn: 4 * hidden, vocab, context },
    batch,
    tokens,
    seed,
    optimizer: { kind: given.optimizer, schedule, learningRate: lr, warmup, steps, weightDecay, clip: CLIP },
    layerDrop,
    workers,
  };
}

/** Prints every 20th step: mean loss, tokens per second, time left. */
function createReporter({ batch, tokens, optimizer }: TrainSettings): (report: StepReport) => void {
  const every = 20;
  let since = performance.now();
  let losses: number[] = [];
  return (report) => {
    losses.push(report.loss);
    if (report.step % every !== 0) return;
    const seconds = (performance.now() - since) / 1000;
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    const perSecond = (losses.length * batch * tokens) / seconds;
    const left = ((optimizer.steps - report.step) * seconds) / losses.length / 60;
    print(
      `step ${report.step}/${optimizer.steps}  loss ${mean.toFixed(4)}  |g| ${report.gradientNorm.toFixed(2)}  ` +
        `lr ${report.learningRate.toExponential(2)}  ${perSecond.toFixed(0)} tokens/s  ${left.toFixed(1)} min left`,
    );
    since = performance.now();
    losses = [];
  };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof RadialError)) throw error;
  process.stderr.write(`${error.diagnostics.map(formatDiagnostic).join('\n')}\n`);
  process.exitCode = 1;
}
