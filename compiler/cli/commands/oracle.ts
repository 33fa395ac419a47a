/** @file `radialc oracle`: what it would cost to skip the blocks that add little to a token. */
import { Command, InvalidArgumentError, Option } from 'commander';
import type { KvPolicy } from '../../../ir/index.ts';
import {
  ORACLE_FORMAT,
  baselines,
  checkOutput,
  oracleSummary,
  oracleText,
  simulateOracle,
} from '../../routing/index.ts';
import type { Baseline, Oracle, OracleSummary, Routed } from '../../routing/index.ts';
import { table } from '../format.ts';
import { printDiagnostics } from '../io.ts';
import type { Io } from '../io.ts';
import { showAndWrite } from '../measured.ts';
import { openModel } from '../model.ts';
import { formatOption, realNumber, wholeNumber } from '../options.ts';
import type { FormatOptions } from '../options.ts';
import { agreementCells, agreementHead, percent, qualityCells, qualityHead } from '../quality.ts';

interface OracleOptions extends FormatOptions {
  readonly text: readonly string[];
  readonly threshold: readonly number[];
  readonly policy: 'on' | 'off';
  readonly kv: KvPolicy;
  readonly denominator: 'input' | 'output';
  /** False: --no-baselines. */
  readonly baselines: readonly Baseline[] | false;
  readonly seed: number;
  readonly router?: string;
  readonly window?: number;
  readonly maxTokens?: number;
  readonly output: string;
}

const PROGRESS_STEPS = 10_000;

export function oracleCommand(io: Io): Command {
  return new Command('oracle')
    .description('simulate an oracle that skips, for each token, the blocks whose residual ratio is below a threshold')
    .argument('<model>', 'a checkpoint folder')
    .requiredOption('--text <file...>', 'texts to predict, UTF-8')
    .option('--threshold <list>', 'of the residual ratio: 0.01,0.05', thresholdList, [0.05])
    .addOption(
      new Option('--policy <policy>', 'on: ratios of the routed run, off: of the dense run')
        .choices(['on', 'off'])
        .default('on'),
    )
    .addOption(
      new Option('--kv <policy>', 'what an attention block knows of a token that skipped it')
        .choices(['absent', 'project', 'latest'])
        .default('project'),
    )
    .addOption(
      new Option('--denominator <which>', 'of the ratio; input: ‖f‖/‖x‖, output: ‖f‖/‖x+f‖')
        .choices(['input', 'output'])
        .default('input'),
    )
    .option('--baselines <list>', 'what to compare with, at the same mean depth', baselineList, baselines)
    .option('--no-baselines', 'nothing to compare with')
    .option('--router <model>', 'a model with gates: how often it decides as the oracle does')
    .option('--seed <n>', 'of the random baseline', wholeNumber(0), 0)
    .option('--window <n>', 'positions of a window (default: the context of the model)', wholeNumber(1))
    .option('--max-tokens <n>', 'tokens of text to read at most', wholeNumber(1))
    .option('-o, --output <file>', 'the numbers, as JSON', 'oracle.json')
    .addOption(formatOption())
    .addHelpText(
      'after',
      '\nAn oracle has computed what it skips: it says what a router could gain, not what one does.\n' +
        'Baselines at the mean depth of the oracle:\n' +
        '  random  each token executes each block with the same probability\n' +
        '  static  all tokens skip the least important blocks, by 1 - cos(x, x + f) of the dense run\n' +
        '  exit    all tokens leave after the same number of blocks\n' +
        'Between two whole numbers of blocks, static and exit give some tokens the one, some the other, evenly spread.\n' +
        'On-policy, a token executes each block and takes that back where its ratio is below the threshold, k and v included.\n' +
        '\nExamples:\n  $ radialc oracle ./opt-125m --text wiki.txt --threshold 0.02,0.05,0.1 --max-tokens 20000\n' +
        '  $ radialc oracle ./opt-125m --text wiki.txt --policy off --kv absent --baselines static -o off.json',
    )
    .action(async (model: string, options: OracleOptions) => {
      const { output, format } = options;
      checkOutput(output, { format: ORACLE_FORMAT, inputs: options.text });
      const oracle = await run(model, options, io);
      const json = oracleText(oracle);
      printDiagnostics(io, oracle.warnings);
      showAndWrite(io, format, { json, text: oracleReport(oracle, output) }, { path: output, content: json });
    });
}

async function run(model: string, options: OracleOptions, io: Io): Promise<Oracle> {
  const { text: paths, threshold: thresholds, policy, kv, denominator, seed, window, maxTokens = null } = options;
  const router = options.router === undefined ? undefined : await openModel(options.router, {});
  const progress = io.progress('oracle');
  try {
    return await simulateOracle({
      model,
      paths,
      thresholds,
      policy,
      kv,
      denominator,
      baselines: options.baselines === false ? [] : options.baselines,
      seed,
      router: router && { path: options.router ?? '', model: router },
      window,
      maxTokens,
      signal: io.signal,
      onProgress: (share) => {
        progress.update(Math.round(share * PROGRESS_STEPS), PROGRESS_STEPS);
      },
    });
  } finally {
    progress.stop();
    router?.dispose();
  }
}

/** A parser for thresholds: `0.01,0.05`. */
function thresholdList(value: string): readonly number[] {
  return value.split(',').map((part) => realNumber(0)(part.trim()));
}

/** A parser for names of baselines: `random,exit`; each counts once. */
function baselineList(value: string): readonly Baseline[] {
  const names = value.split(',').map((part) => {
    const known = baselines.find((name) => name === part.trim());
    if (known !== undefined) return known;
    throw new InvalidArgumentError(`Baselines are ${baselines.join(', ')}.`);
  });
  return baselines.filter((name) => names.includes(name));
}

/** A line for the dense model, and for each threshold the oracle and its baselines; then how deep tokens go. */
function oracleReport(oracle: Oracle, output: string): string {
  const { model, blocks, windows, window, settings } = oracle;
  const { tokens, dense, thresholds } = oracleSummary(oracle);
  const row = (threshold: string, name: string, routed: Routed): readonly string[] => [
    ...[threshold, name, percent(routed.skipped)],
    ...qualityCells(routed),
    ...agreementCells(routed),
  ];
  const rows = thresholds.flatMap(({ threshold, oracle: found, baselines: others }) => [
    row(String(threshold), 'oracle', found),
    ...Object.entries(others).map(([name, routed]) => row('', name, routed)),
  ]);
  const ratio = settings.denominator === 'input' ? '‖f‖/‖x‖' : '‖f‖/‖x+f‖';
  return [
    `${output}: ${model.family}, ${blocks.length} blocks, ${tokens} tokens in ${windows} windows of at most ${window}; ` +
      `${settings.policy}-policy, ${ratio}, kv ${settings.kv}`,
    '',
    table(
      ['threshold', 'route', 'skipped', ...qualityHead, ...agreementHead],
      [['', 'dense', percent(0), ...qualityCells(dense), '', ''], ...rows],
    ),
    '',
    ...routerLines(thresholds),
    table(
      ['threshold', 'blocks', 'tokens by the blocks that the oracle executes for them'],
      thresholds.map(({ threshold, oracle: { depths } }) => [String(threshold), ...histogram(depths)]),
    ),
  ].join('\n');
}

/** A line for each threshold, where a router was compared. */
function routerLines(thresholds: OracleSummary['thresholds']): readonly string[] {
  const rows = thresholds.flatMap(({ threshold, router }) =>
    router === undefined
      ? []
      : [[String(threshold), router.depth.toFixed(2), ...[router.precision, router.recall, router.same].map(percent)]],
  );
  return rows.length === 0 ? [] : [table(['threshold', 'router depth', 'precision', 'recall', 'same'], rows), ''];
}

const BARS = '▁▂▃▄▅▆▇█';

/** The depths from the lowest to the highest one that occurs, and a bar for each; a space for those of no token. */
function histogram(depths: readonly number[]): readonly [string, string] {
  const first = depths.findIndex((count) => count > 0);
  const last = depths.findLastIndex((count) => count > 0);
  const most = Math.max(...depths);
  const bars = depths
    .slice(first, last + 1)
    .map((count) => (count === 0 ? ' ' : (BARS[Math.ceil((count / most) * BARS.length) - 1] ?? '')));
  return [first === last ? String(first) : `${first} to ${last}`, bars.join('')];
}
