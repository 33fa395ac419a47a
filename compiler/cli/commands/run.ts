/** @file `radialc run`: streams text. */
import { Command, Option } from 'commander';
import { RadialError, fail } from '../../../ir/diagnostics/diagnostic.ts';
import type { GenerateOptions, GeneratedToken, RadialModel, Route } from '../../../runtime/index.ts';
import { withoutCommands } from '../format.ts';
import { printDiagnostics } from '../io.ts';
import type { Io } from '../io.ts';
import { writeOrShow } from '../measured.ts';
import { openModel } from '../model.ts';
import { addBuildOptions, formatOption, idList, realNumber, thresholdOption, wholeNumber } from '../options.ts';
import type { BuildOptions, FormatOptions } from '../options.ts';
import { readPrompts } from '../prompt-file.ts';
import { ROUTE_FORMAT, depthRoute, readRoute, routeText } from '../route-file.ts';
import type { Step } from '../route-file.ts';
import { tableHash } from '../table-hash.ts';
import { checkOutput } from '../../routing/index.ts';

const DEFAULT_TOKENS = 64;

type Prompt = string | readonly number[];

interface RunOptions extends FormatOptions, BuildOptions {
  readonly prompt?: string;
  readonly ids?: readonly number[];
  readonly prompts?: string;
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
  /** See {@link withTable}. */
  readonly table?: string | undefined;
}

export function runCommand(io: Io): Command {
  const command = new Command('run')
    .description('generate text with a compiled program, or with a checkpoint that is compiled in memory')
    .argument('<model>', 'a compiled program or a checkpoint folder')
    .option('--prompt <text>', 'what to go on from')
    .option('--ids <list>', 'the same as token ids: 1,2,3', idList)
    .addOption(
      new Option(
        '--prompts <file>',
        'many texts to go on from, one a line, as many together as the program holds sequences; line n (from 0) samples with seed + n',
      ).conflicts(['record', 'replay']),
    )
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
      '\nExamples:\n  $ radialc run ./out --prompt "Once upon a time" -n 100\n  $ radialc run ./out --ids 1,42,7 --temperature 0.8 --seed 3 --show-depth\n  $ radialc run ./out --prompts lines.txt\n  $ radialc run ./out --prompt "Once" --record routes.jsonl && radialc run ./out --prompt "Once" --replay routes.jsonl',
    )
    .action(async (path: string, options: RunOptions) => {
      const given = promptOf(options);
      const model = await openModel(path, options);
      try {
        if ('prompts' in given) await generateMany(model, given.prompts, options, io);
        else await generate(model, given.prompt, await withTable(path, options), io);
      } finally {
        model.dispose();
      }
    });
}

/** With the hash by which routes tell their model, where some are recorded or replayed. */
async function withTable(path: string, options: RunOptions): Promise<RunOptions> {
  if (options.record === undefined && options.replay === undefined) return options;
  return { ...options, table: await tableHash(path) };
}

function promptOf({
  prompt,
  ids,
  prompts,
}: RunOptions): { readonly prompt: Prompt } | { readonly prompts: readonly string[] } {
  const one = prompt ?? ids;
  if ([prompt, ids, prompts].filter((given) => given !== undefined).length !== 1) {
    fail('RC1010', 'expected --prompt, --ids or --prompts, one of them', { help: 'radialc run --help has examples' });
  }
  return one === undefined ? { prompts: readPrompts(prompts ?? '') } : { prompt: one };
}

async function generate(model: RadialModel, prompt: Prompt, options: RunOptions, io: Io): Promise<void> {
  const { seed, record, replay, table } = options;
  const tokens: GeneratedToken[] = [];
  const json = options.format === 'json';
  const isText = typeof prompt === 'string';
  const steps: Step[] = [];
  if (record !== undefined) checkOutput(record, { format: ROUTE_FORMAT, inputs: replay === undefined ? [] : [replay] });
  const stream = model.generate(prompt, {
    ...samplingOf(model, options),
    maxNewTokens: await newTokens(model, prompt, options),
    seed,
    onRoute: (position, id, path) => steps.push({ position, id, path }),
    ...(record !== undefined && { signal: io.signal }),
  });
  try {
    for await (const token of stream) {
      if (!json && isText && tokens.length === 0) io.write(io.colors.out.dim(withoutCommands(prompt)));
      tokens.push(token);
      if (json) continue;
      const text = isText ? token.text : `${tokens.length === 1 ? '' : ','}${token.id}`;
      io.write(textOf({ ...token, text }, options, io));
    }
  } catch (error) {
    if (record !== undefined && steps.length > 0 && io.interrupted() !== undefined) {
      if (!json) io.out('');
      writeInterrupted(record, routeText(model, steps, table), io);
    }
    throw error;
  }
  io.out(json ? JSON.stringify(jsonOf(tokens)) : '');
  if (record !== undefined) writeRoutes(record, routeText(model, steps, table), io);
}

function writeRoutes(path: string, content: string, io: Io): void {
  writeOrShow(io, { path, content }, content);
}

/** The routes until the interrupt, which is what the command ends with all the same. */
function writeInterrupted(path: string, content: string, io: Io): void {
  try {
    writeRoutes(path, content, io);
    io.err(`the routes until here are in ${path}`);
  } catch (error) {
    if (!(error instanceof RadialError)) throw error;
    printDiagnostics(io, error.diagnostics);
  }
}

/** Shows the texts in the order of prompts, each as soon as it and those before are whole. */
async function generateMany(
  model: RadialModel,
  prompts: readonly string[],
  options: RunOptions,
  io: Io,
): Promise<void> {
  const found = prompts.map((): GeneratedToken[] => []);
  const whole = new Set<number>();
  const limits: number[] = [];
  for (const prompt of prompts) limits.push(await newTokens(model, prompt, options));
  const stream = model.generateMany(prompts, {
    ...samplingOf(model, options),
    maxNewTokens: limits,
    seed: prompts.map((_, n) => options.seed + n),
  });
  let shown = 0;
  for await (const { sequence, last, ...token } of stream) {
    found[sequence]?.push(token);
    if (last) whole.add(sequence);
    for (; options.format === 'text' && whole.has(shown); shown++) {
      const text = (found[shown] ?? []).map((one) => textOf(one, options, io));
      const prompt = io.colors.out.dim(withoutCommands(prompts[shown] ?? ''));
      io.out(`${shown === 0 ? '' : '\n'}${[prompt, ...text].join('')}`);
    }
  }
  if (options.format === 'text') return;
  const sequences = found.map((tokens, n) => ({ prompt: prompts[n], ...jsonOf(tokens) }));
  io.out(JSON.stringify({ sequences }));
}

function samplingOf(model: RadialModel, options: RunOptions): Omit<GenerateOptions, 'maxNewTokens' | 'seed'> {
  const { temperature, topK, topP, stop, threshold } = options;
  return {
    temperature,
    threshold,
    route: routeOf(model, options),
    ...(topK !== undefined && { topK }),
    ...(topP !== undefined && { topP }),
    ...(stop !== undefined && { stop }),
  };
}

function textOf({ text, depth }: GeneratedToken, { showDepth }: RunOptions, io: Io): string {
  return withoutCommands(text) + (showDepth === true ? io.colors.out.cyan(`⟨${depth}⟩`) : '');
}

function jsonOf(tokens: readonly GeneratedToken[]): object {
  return {
    ids: tokens.map(({ id }) => id),
    text: tokens.map(({ text }) => text).join(''),
    depth: tokens.map(({ depth }) => depth),
    path: tokens.map(({ path }) => path),
  };
}

function routeOf(model: RadialModel, { replay, forceDepth, table }: RunOptions): Route | undefined {
  if (replay !== undefined) return readRoute(replay, model.info, table).route;
  return forceDepth === undefined ? undefined : depthRoute(model, forceDepth);
}

/**
 * Tokens to generate at most: as many as asked for, or what fits behind the prompt, up to the default; at least one, so that
 * a full context is told of.
 */
async function newTokens(model: RadialModel, prompt: Prompt, { maxNewTokens }: RunOptions): Promise<number> {
  const { info } = model;
  if (maxNewTokens !== undefined || info.task !== 'causal-lm') return maxNewTokens ?? DEFAULT_TOKENS;
  const ids = typeof prompt === 'string' ? await model.encode(prompt) : prompt;
  return Math.max(1, Math.min(DEFAULT_TOKENS, info.shapes.context - ids.length));
}
