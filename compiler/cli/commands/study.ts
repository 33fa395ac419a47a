/** @file `radialc study`: one page that shows what routing does to a model: graph, depth, quality, time, memory. */
import { Command } from 'commander';
import type { Diagnostic } from '../../../ir/diagnostics/diagnostic.ts';
import { checkReport, reportHtml } from '../../report/index.ts';
import { studyModel, studyText } from '../../routing/index.ts';
import type { RoutePoint, Study, StudyRequest } from '../../routing/index.ts';
import { bytes, table } from '../format.ts';
import { printDiagnostics } from '../io.ts';
import type { Io } from '../io.ts';
import { showAndWrite } from '../measured.ts';
import { formatOption, realNumber, wholeNumber } from '../options.ts';
import type { FormatOptions } from '../options.ts';
import { agreementCells, agreementHead, percent, qualityCells, qualityHead } from '../quality.ts';

interface StudyOptions extends FormatOptions {
  readonly text: readonly string[];
  readonly against?: string;
  readonly profile?: string;
  readonly thresholds?: readonly number[];
  readonly ratios?: readonly number[];
  readonly window?: number;
  readonly maxTokens: number;
  readonly seed: number;
  readonly timing: boolean;
  readonly output: string;
}

const PROGRESS_STEPS = 10_000;
const MAX_TOKENS = 2048;

export function studyCommand(io: Io): Command {
  return new Command('study')
    .description('make one page about a model: its routed graph, depth, quality and time, beside oracles and baselines')
    .argument('<model>', 'a checkpoint folder, with learned routers or without')
    .requiredOption('--text <file...>', 'texts to predict, UTF-8')
    .option('--against <model>', 'the dense model (default: the same checkpoint in sequence)')
    .option(
      '--profile <file>',
      'ratios of `radialc profile` on more text, for figure 2 and the thresholds of the oracle',
    )
    .option('--thresholds <list>', 'of gates: 0.3,0.5,0.7', numberList(0, 1))
    .option(
      '--ratios <list>',
      'thresholds of the oracle’s residual ratio: 0.02,0.05 (default: some, and one at the depth of the learned router)',
      numberList(0),
    )
    .option('--window <n>', 'positions of a window (default: the context of the model)', wholeNumber(1))
    .option('--max-tokens <n>', 'tokens of text to read at most', wholeNumber(1), MAX_TOKENS)
    .option('--seed <n>', 'of random routes, and of the order in which times are measured', wholeNumber(0), 0)
    .option('--no-timing', 'measure no times; the same command then writes the same bytes')
    .option('-o, --output <file>', 'the page', 'report.html')
    .addOption(formatOption())
    .addHelpText(
      'after',
      '\nThe page is one HTML file that loads nothing. A checkpoint with gates or a hub is studied with them; one without\n' +
        'is studied with an oracle, which skips blocks whose residual ratio is below a threshold (KV policy project).\n' +
        'Each route is timed decoding, in pairs with the dense model. Up to four programs are in memory, with their weights.\n' +
        '\nExamples:\n  $ radialc study ./opt-125m --text wiki.txt -o opt.html\n' +
        '  $ radialc study ./routed --against ./opt-125m --text wiki.txt --thresholds 0.3,0.5,0.7 --max-tokens 8192',
    )
    .action(async (model: string, options: StudyOptions) => {
      const { output, format, text, profile } = options;
      checkReport(output, [...text, ...(profile === undefined ? [] : [profile])]);
      const study = await run(model, options, io);
      const page = await reportHtml(study, commandLine(model, options));
      io.signal.throwIfAborted();
      const shown = { json: studyText(study), text: summary(study, output, page) };
      showAndWrite(io, format, shown, { path: output, content: page });
    });
}

async function run(model: string, options: StudyOptions, io: Io): Promise<Study> {
  const { text: paths, against, profile, thresholds, ratios, window, maxTokens, seed, timing } = options;
  const warnings: Diagnostic[] = [];
  const progress = io.progress('study');
  const request: StudyRequest = {
    ...{ model, against, paths, profile, thresholds, ratios, window, maxTokens, seed, timing },
    signal: io.signal,
    onProgress: (share) => {
      progress.update(Math.round(share * PROGRESS_STEPS), PROGRESS_STEPS);
    },
    onWarning: (warning) => warnings.push(warning),
  };
  try {
    return await studyModel(request);
  } finally {
    progress.stop();
    printDiagnostics(io, warnings);
  }
}

/** Numbers with commas between them. */
function numberList(min: number, max = Infinity): (value: string) => readonly number[] {
  return (value) => value.split(',').map((part) => realNumber(min, max)(part.trim()));
}

/** What to type to make the page again, wherever it is written to. */
function commandLine(model: string, options: StudyOptions): string {
  const { text, against, profile, thresholds, ratios, window, maxTokens, seed, timing } = options;
  const flags: readonly (readonly [string, readonly string[] | undefined])[] = [
    ['--text', text],
    ['--against', against === undefined ? undefined : [against]],
    ['--profile', profile === undefined ? undefined : [profile]],
    ['--thresholds', thresholds && [thresholds.join()]],
    ['--ratios', ratios && [ratios.join()]],
    ['--window', window === undefined ? undefined : [String(window)]],
    ['--max-tokens', maxTokens === MAX_TOKENS ? undefined : [String(maxTokens)]],
    ['--seed', seed === 0 ? undefined : [String(seed)]],
    ['--no-timing', timing ? undefined : []],
  ];
  const given = flags.flatMap(([flag, values]) => (values === undefined ? [] : [flag, ...values.map(quoted)]));
  return ['radialc', 'study', quoted(model), ...given].join(' ');
}

/** As a POSIX shell reads it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A line for each route. */
function summary({ routes, studied, text, timing, model }: Study, output: string, page: string): string {
  const times = new Map(timing?.points.map(({ route, ratio }) => [route, ratio.median]));
  const row = (route: RoutePoint, i: number): readonly string[] => {
    const time = route.series === 'dense' ? 1 : times.get(i);
    return [
      route.series + (i === studied ? ' *' : ''),
      route.setting === null ? '' : String(route.setting),
      percent(route.skipped),
      ...qualityCells(route),
      ...agreementCells(route),
      ...(timing === null ? [] : [time?.toFixed(2) ?? '']),
    ];
  };
  const heads = ['route', 'setting', 'skipped', ...qualityHead, ...agreementHead, ...(timing === null ? [] : ['time'])];
  return [
    `${output} (${bytes(Buffer.byteLength(page))}): ${model.family}, ${model.blocks.length} blocks, ${text.tokens} tokens in ${text.windows} windows of at most ${text.window}`,
    '',
    table(heads, routes.map(row)),
    '',
    `* the studied route${timing === null ? '' : `; time: decode time, dense = 1 (${timing.denseMilliseconds.toFixed(3)} ms per token)`}`,
  ].join('\n');
}
