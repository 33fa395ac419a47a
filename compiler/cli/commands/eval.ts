/** @file `radialc eval`: how well and how fast a program predicts text, and how near it is to the dense model. */
import { Command, Option } from 'commander';
import type { RadialModel } from '../../../runtime/index.ts';
import { EVALUATION_FORMAT, checkOutput, evaluateModel, evaluationText } from '../../routing/index.ts';
import type { Evaluation, Quality, Speed, Subject } from '../../routing/index.ts';
import { table } from '../format.ts';
import { printDiagnostics } from '../io.ts';
import type { Io } from '../io.ts';
import { showAndWrite } from '../measured.ts';
import { isArtifact, openModel } from '../model.ts';
import { addBuildOptions, formatOption, thresholdOption, wholeNumber } from '../options.ts';
import type { BuildOptions, FormatOptions } from '../options.ts';
import { percent, qualityCells, qualityHead } from '../quality.ts';

interface EvalOptions extends FormatOptions, BuildOptions {
  readonly text: readonly string[];
  readonly against?: string;
  readonly window?: number;
  readonly maxTokens?: number;
  readonly mode: 'prefill' | 'decode';
  readonly threshold?: number;
  readonly output?: string;
}

const PROGRESS_STEPS = 10_000;

export function evalCommand(io: Io): Command {
  const command = new Command('eval')
    .description(
      'measure how well a program predicts text, how deep and how fast it goes, alone or beside the dense one',
    )
    .argument('<model>', 'a compiled program, a checkpoint folder or IR text')
    .requiredOption('--text <file...>', 'texts to predict, UTF-8')
    .option('--against <model>', 'the dense model: a compiled program, or a checkpoint folder without its routers')
    .option('--window <n>', 'positions of a window (default: the context of the model)', wholeNumber(1))
    .option('--max-tokens <n>', 'tokens of text to read at most', wholeNumber(1))
    .addOption(
      new Option('--mode <mode>', 'many tokens at a time, or one').choices(['prefill', 'decode']).default('prefill'),
    )
    .addOption(thresholdOption())
    .option('-o, --output <file>', 'also write the numbers to this file, as JSON')
    .addOption(formatOption());
  return addBuildOptions(command)
    .addHelpText(
      'after',
      '\nEach text is cut into windows side by side; a window begins with the start token, and every position predicts the\n' +
        'token after it. A window is held in memory with all its logits: window × vocabulary × 4 bytes for each model.\n' +
        '\nExamples:\n  $ radialc eval ./out --text wiki.txt\n' +
        '  $ radialc eval ./routed --against ./opt-125m --text wiki.txt --max-tokens 20000 -o eval.json',
    )
    .action(async (path: string, options: EvalOptions) => {
      const { output, text, against = null, format } = options;
      if (output !== undefined) checkOutput(output, { format: EVALUATION_FORMAT, inputs: text });
      const evaluation = await run(path, options, io);
      const json = evaluationText(evaluation, { model: path, against });
      printDiagnostics(io, evaluation.warnings);
      const file = output === undefined ? undefined : { path: output, content: json };
      showAndWrite(io, format, { json, text: evaluationReport(evaluation, path, against) }, file);
    });
}

async function run(path: string, options: EvalOptions, io: Io): Promise<Evaluation> {
  const { text: paths, against, window, maxTokens, mode, threshold } = options;
  const { signal } = io;
  const models: RadialModel[] = [];
  const open = async (from: string, build: BuildOptions): Promise<Subject> => {
    const model = await openModel(from, build);
    models.push(model);
    return { path: from, model };
  };
  const progress = io.progress('eval');
  const onProgress = (share: number): void => {
    progress.update(Math.round(share * PROGRESS_STEPS), PROGRESS_STEPS);
  };
  try {
    const subject = await open(path, options);
    const dense =
      against === undefined ? undefined : await open(against, isArtifact(against) ? {} : { route: 'sequential' });
    return await evaluateModel({
      subject,
      against: dense,
      paths,
      window,
      maxTokens,
      mode,
      threshold,
      signal,
      onProgress,
    });
  } finally {
    progress.stop();
    for (const model of models) model.dispose();
  }
}

/** A line for each model, and one that compares them. */
function evaluationReport(evaluation: Evaluation, path: string, against: string | null): string {
  const { window, windows, tokens, bytes, model, against: dense, agreement, timing } = evaluation;
  const row = (name: string, quality: Quality, speed: Speed | null): readonly string[] => [
    name,
    ...qualityCells(quality),
    quality.bitsPerByte.toFixed(3),
    speed?.tokensPerSecond.toFixed(0) ?? '',
  ];
  const rows = [row(path, model, timing.model)];
  if (against !== null && dense !== null) rows.push(row(against, dense, timing.against));
  const lines = [
    `${tokens} tokens (${bytes} bytes) in ${windows} windows of at most ${window}, ${evaluation.mode}`,
    '',
    table(['model', ...qualityHead, 'bits/byte', 'tokens/s'], rows),
  ];
  if (agreement !== null) {
    lines.push(
      '',
      `KL(dense || this) ${agreement.kl.toFixed(5)} nats per token, top-1 agreement ${percent(agreement.top1)}`,
    );
  }
  return lines.join('\n');
}
