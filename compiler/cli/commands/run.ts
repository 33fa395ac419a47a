/** @file `radialc run`: streams text. */
import { Command, Option } from 'commander';
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import type { GeneratedToken, RadialModel, Route } from '../../../runtime/index.ts';
import { withoutCommands } from '../format.ts';
import type { Io } from '../io.ts';
import { openModel } from '../model.ts';
import { addBuildOptions, formatOption, idList, realNumber, thresholdOption, wholeNumber } from '../options.ts';
import type { BuildOptions, FormatOptions } from '../options.ts';
import { ROUTE_FORMAT, depthRoute, readRoute, routeText } from '../route-file.ts';
import type { Step } from '../route-file.ts';
import { checkOutput, writeOutput } from '../../routing/index.ts';

const DEFAULT_TOKENS = 64;

interface RunOptions extends FormatOptions, BuildOptions {
  readonly prompt?: string;
  readonly ids?: readonly number[];
  readonly maxNewTokens?: number;
  readonly temperature: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly seed: number;
  readonly threshold?: number;
  readonly stop?: readonly string[];
  readonly showDepth?: boolean;
  readonly record?: string;
  readonly replay?: string;
  readonly forceDepth?: number;
}

export function runCommand(io: Io): Command {
  const command = new Command('run')
    .description('generate text with a compiled program, or with a checkpoint that is compiled in memory')
    .argument('<model>', 'a compiled program or a checkpoint folder')
    .option('--prompt <text>', 'what to go on from')
    .option('--ids <list>', 'the same as token ids: 1,2,3', idList)
    .option(
      '-n, --max-new-tokens <n>',
      `tokens to generate at most (default: ${DEFAULT_TOKENS}, or what the context has room for)`,
      wholeNumber(1),
    )
    .option('--temperature <t>', '0: always the most likely token', realNumber(0), 0)
    .option('--top-k <n>', 'sample among the n most likely', wholeNumber(1))
    .option('--top-p <p>', 'sample among the most likely that make up p', realNumber(0, 1))
    .option('--seed <n>', 'of the sampling', wholeNumber(0), 0)
    .option('--stop <text...>', 'end where one of these appears')
    .option('--show-depth', 'show how many blocks each token executed')
    .option('--record <file>', 'write the route of each token to a file')
    .addOption(
      new Option('--replay <file>', 'send each token the way that --record has written').conflicts('forceDepth'),
    )
    .option('--force-depth <n>', 'let each token execute n blocks, the first ones', wholeNumber(0))
    .addOption(thresholdOption())
    .addOption(formatOption());
  return addBuildOptions(command)
    .addHelpText(
      'after',
      '\nExamples:\n  $ radialc run ./out --prompt "Once upon a time" -n 100\n  $ radialc run ./out --ids 1,42,7 --temperature 0.8 --seed 3 --show-depth\n  $ radialc run ./out --prompt "Once" --record routes.jsonl && radialc run ./out --prompt "Once" --replay routes.jsonl',
    )
    .action(async (path: string, options: RunOptions) => {
      const prompt = promptOf(options);
      const model = await openModel(path, options);
      try {
        await generate(model, prompt, options, io);
      } finally {
        model.dispose();
      }
    });
}

function promptOf({ prompt, ids }: RunOptions): string | readonly number[] {
  const given = prompt ?? ids;
  if (given === undefined || (prompt !== undefined && ids !== undefined)) {
    fail('RC1010', 'expected --prompt or --ids, one of them', { help: 'radialc run --help has examples' });
  }
  return given;
}

async function generate(
  model: RadialModel,
  prompt: string | readonly number[],
  options: RunOptions,
  io: Io,
): Promise<void> {
  const { temperature, topK, topP, seed, stop, record, replay } = options;
  const tokens: GeneratedToken[] = [];
  const json = options.format === 'json';
  const isText = typeof prompt === 'string';
  const steps: Step[] = [];
  if (record !== undefined) checkOutput(record, { format: ROUTE_FORMAT, inputs: replay === undefined ? [] : [replay] });
  const stream = model.generate(prompt, {
    maxNewTokens: options.maxNewTokens ?? (await roomFor(model, prompt)),
    temperature,
    seed,
    threshold: options.threshold,
    route: routeOf(model, options),
    onRoute: (position, id, path) => steps.push({ position, id, path }),
    ...(topK !== undefined && { topK }),
    ...(topP !== undefined && { topP }),
    ...(stop !== undefined && { stop }),
  });
  for await (const token of stream) {
    if (!json && isText && tokens.length === 0) io.write(io.colors.out.dim(withoutCommands(prompt)));
    tokens.push(token);
    if (json) continue;
    io.write(isText ? withoutCommands(token.text) : `${tokens.length === 1 ? '' : ','}${token.id}`);
    if (options.showDepth === true) io.write(io.colors.out.cyan(`⟨${token.depth}⟩`));
  }
  if (json) {
    io.out(
      JSON.stringify({
        ids: tokens.map(({ id }) => id),
        text: tokens.map(({ text }) => text).join(''),
        depth: tokens.map(({ depth }) => depth),
        path: tokens.map(({ path }) => path),
      }),
    );
  } else {
    io.out('');
  }
  if (record !== undefined) writeOutput(record, routeText(model, steps));
}

function routeOf(model: RadialModel, { replay, forceDepth }: RunOptions): Route | undefined {
  if (replay !== undefined) return readRoute(replay, model.info).route;
  return forceDepth === undefined ? undefined : depthRoute(model, forceDepth);
}

/** Tokens that fit behind the prompt, up to the default; at least one, so that a full context is told of. */
async function roomFor(model: RadialModel, prompt: string | readonly number[]): Promise<number> {
  const { info } = model;
  if (info.task !== 'causal-lm') return DEFAULT_TOKENS;
  const ids = typeof prompt === 'string' ? await model.encode(prompt) : prompt;
  return Math.max(1, Math.min(DEFAULT_TOKENS, info.shapes.context - ids.length));
}
