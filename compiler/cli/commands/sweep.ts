/** @file `radialc sweep`: evaluates learned routers under several KV policies, thresholds and budgets; can be interrupted. */
import { Command, InvalidArgumentError, Option } from 'commander';
import type { Diagnostic } from '../../../ir/diagnostics/diagnostic.ts';
import type { KvPolicy } from '../../../ir/index.ts';
import { sweepModel, sweepText } from '../../routing/index.ts';
import type { Sweep } from '../../routing/index.ts';
import { table } from '../format.ts';
import { printDiagnostics } from '../io.ts';
import type { Io } from '../io.ts';
import { formatOption, realNumber, wholeNumber } from '../options.ts';
import type { FormatOptions } from '../options.ts';
import { agreementCells, agreementHead, percent, qualityCells, qualityHead } from '../quality.ts';

interface SweepOptions extends FormatOptions {
  readonly text: readonly string[];
  readonly against?: string;
  readonly thresholds?: readonly number[];
  readonly budget?: readonly number[];
  readonly kv?: readonly KvPolicy[];
  readonly window?: number;
  readonly maxTokens?: number;
  readonly mode: 'prefill' | 'decode';
  readonly resume?: boolean;
  readonly output: string;
}

const PROGRESS_STEPS = 10_000;

export function sweepCommand(io: Io): Command {
  return new Command('sweep')
    .description('evaluate learned routers under several KV policies, thresholds and budgets, beside the dense model')
    .argument('<model>', 'a checkpoint folder with learned routers')
    .requiredOption('--text <file...>', 'texts to predict, UTF-8')
    .option('--thresholds <list>', 'of gates: 0.3,0.5,0.7 (default: that of the model)', thresholdList)
    .option(
      '--budget <list>',
      'mean depths to search thresholds for, as shares of the blocks: 0.5,0.75 (then --thresholds has no default)',
      budgetList,
    )
    .option('--kv <list>', 'policies: absent,project,latest (default: that of the model)', policyList)
    .option('--against <model>', 'the dense model (default: the same checkpoint in sequence)')
    .option('--window <n>', 'positions of a window (default: the context of the model)', wholeNumber(1))
    .option('--max-tokens <n>', 'tokens of text to read at most', wholeNumber(1))
    .addOption(
      new Option('--mode <mode>', 'many tokens at a time, or one').choices(['prefill', 'decode']).default('prefill'),
    )
    .option('--resume', 'go on with an interrupted sweep')
    .option('-o, --output <file>', 'the numbers, as JSON', 'sweep.json')
    .addOption(formatOption())
    .addHelpText(
      'after',
      '\nWhat is done is kept in OUTPUT.partial after each evaluation, until the sweep is complete.\n' +
        'The threshold of a budget is found on the text itself, in at most 10 readings, to half a percent of the blocks; the\n' +
        'depth that is shown is the one that was reached.\n' +
        '\nExamples:\n  $ radialc sweep ./routed --text wiki.txt --thresholds 0.3,0.5,0.7 --kv absent,project,latest\n' +
        '  $ radialc sweep ./routed --text wiki.txt --thresholds 0.3,0.5,0.7 --kv absent,project,latest --resume\n' +
        '  $ radialc sweep ./routed --text wiki.txt --budget 0.5,0.75,0.9 --kv absent,project --max-tokens 20000',
    )
    .action(async (model: string, options: SweepOptions) => {
      const sweep = await run(model, options, io);
      io.out(options.format === 'json' ? sweepText(sweep).trimEnd() : summary(sweep, options.output));
    });
}

async function run(model: string, options: SweepOptions, io: Io): Promise<Sweep> {
  const { text: paths, kv: policies, budget: budgets, output: out, resume = false, ...others } = options;
  const { against, thresholds, window, maxTokens, mode } = others;
  const warnings: Diagnostic[] = [];
  const progress = io.progress('sweep');
  try {
    return await sweepModel({
      ...{ model, against, paths, thresholds, budgets, policies, window, maxTokens, mode, out, resume },
      signal: io.signal,
      onProgress: (share) => {
        progress.update(Math.round(share * PROGRESS_STEPS), PROGRESS_STEPS);
      },
      onSaved: (file) => {
        progress.stop();
        io.err(`what is done is in ${file}; the same command with --resume goes on`);
      },
      onWarning: (warning) => warnings.push(warning),
    });
  } finally {
    progress.stop();
    printDiagnostics(io, warnings);
  }
}

function thresholdList(value: string): readonly number[] {
  return value.split(',').map((part) => realNumber(0, 1)(part.trim()));
}

function budgetList(value: string): readonly number[] {
  return value.split(',').map((part) => {
    const share = realNumber(0, 1)(part.trim());
    if (share > 0) return share;
    throw new InvalidArgumentError('Budgets are shares above 0 and at most 1.');
  });
}

function policyList(value: string): readonly KvPolicy[] {
  return value.split(',').map((part) => {
    const known = (['absent', 'project', 'latest'] as const).find((policy) => policy === part.trim());
    if (known !== undefined) return known;
    throw new InvalidArgumentError('Policies are absent, project and latest.');
  });
}

function summary({ runs, files, model }: Sweep, output: string): string {
  const budgeted = runs.some(({ budget }) => budget !== null);
  const rows = runs.map(({ kv, threshold, budget, model: quality, agreement, timing }) => [
    kv,
    ...(budgeted ? [budget === null ? '' : percent(budget)] : []),
    threshold === null ? '' : String(threshold),
    ...qualityCells(quality),
    ...(agreement === null ? ['', ''] : agreementCells(agreement)),
    timing.model.tokensPerSecond.toFixed(0),
    timing.against?.tokensPerSecond.toFixed(0) ?? '',
  ]);
  return [
    `${output}: ${model.family}, ${runs.length} evaluations on ${files.map(({ name }) => name).join(', ')}`,
    '',
    table(
      ['kv', ...(budgeted ? ['budget'] : []), 'threshold', ...qualityHead, ...agreementHead, 'tokens/s', 'dense'],
      rows,
    ),
  ].join('\n');
}
