/** @file `radialc profile`: how much each residual block adds to the hidden state, token by token, over a text or images. */
import { Command, Option } from 'commander';
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import { profileModel, summaryOf } from '../../routing/index.ts';
import type { Profile, Profiled, Shard, Statistics, Summary } from '../../routing/index.ts';
import { readForwardInput } from '../forward-input.ts';
import type { Pixels } from '../forward-input.ts';
import { table } from '../format.ts';
import type { Io } from '../io.ts';
import { formatOption, wholeNumber } from '../options.ts';
import type { FormatOptions } from '../options.ts';

interface ProfileOptions extends FormatOptions {
  readonly text?: readonly string[];
  readonly images?: readonly string[];
  readonly output: string;
  readonly window?: number;
  readonly maxTokens?: number;
  readonly shard: string;
  readonly resume?: boolean;
  readonly saveEvery: number;
}

const PROGRESS_STEPS = 10_000;

export function profileCommand(io: Io): Command {
  return new Command('profile')
    .description(
      'measure how much each residual block adds to the hidden state, and what a skipped one leaves in the KV cache',
    )
    .argument('<model>', 'a checkpoint folder')
    .option('--text <file...>', 'texts to run a language model on, UTF-8')
    .addOption(
      new Option('--images <file...>', '{"pixel_values": […]} to run an image model on').conflicts([
        'text',
        'window',
        'maxTokens',
      ]),
    )
    .option('-o, --output <file>', 'the profile', 'profile.json')
    .option('--window <n>', 'positions of a window (default: the context of the model)', wholeNumber(1))
    .option('--max-tokens <n>', 'tokens of text to read at most', wholeNumber(1))
    .option('--shard <i/n>', 'only every n-th window, from number i on, counted from 0', '0/1')
    .option('--resume', 'go on with a profile that was interrupted')
    .option('--save-every <n>', 'windows after which OUTPUT.partial is written again', wholeNumber(1), 16)
    .addOption(formatOption())
    .addHelpText(
      'after',
      '\nResidual ratios: ‖f‖ / ‖x‖ and ‖f‖ / ‖x + f‖, with x what enters a block and f what its branch adds.\n' +
        'KV errors, ‖right − left‖ / ‖right‖, say what to expect of --kv for a token that skips an attention block, and all since\n' +
        'the attention block before: k and v under latest and project, to those of a token that skips nothing; under absent,\n' +
        'the hidden state that leaves the block of a token that sees no other token there, to that of one that sees all.\n' +
        '\nThe profile is written when it is complete; until then OUTPUT.partial has what is done, after Ctrl-C too.\n' +
        '\nExamples:\n  $ radialc profile ./opt-125m --text wiki.txt -o opt-125m.json\n' +
        '  $ radialc profile ./opt-125m --text wiki.txt -o opt-125m.json --resume\n' +
        '  $ radialc profile ./opt-125m --text wiki.txt --shard 0/2 -o 0.json   # and 1/2, on another machine; then\n' +
        '  $ radialc merge 0.json 1.json -o opt-125m.json\n' +
        '  $ radialc profile ./vit-base --images images.json',
    )
    .action(async (model: string, options: ProfileOptions) => {
      const profiled = await run(model, options, io);
      print(profiled, options, io);
    });
}

async function run(model: string, options: ProfileOptions, io: Io): Promise<Profiled> {
  const { text, images, output: out, window, maxTokens, resume = false, saveEvery } = options;
  const paths = text ?? images;
  if (paths === undefined) {
    fail('RC1202', 'there is nothing to run the model on', {
      help: 'give --text FILE, or --images FILE for an image model',
    });
  }
  const shard = shardOf(options.shard);
  const progress = io.progress('profile');
  try {
    return await profileModel({
      model,
      input: text === undefined ? 'images' : 'text',
      paths,
      readImages: (path) => readImages(path, io),
      out,
      window,
      maxTokens,
      shard,
      resume,
      saveEvery,
      signal: io.signal,
      onProgress: (share) => {
        progress.update(Math.round(share * PROGRESS_STEPS), PROGRESS_STEPS);
      },
      onSaved: (file) => {
        progress.stop();
        if (io.interrupted() !== undefined) {
          io.err(`what is done is in ${file}; the same command with --resume goes on`);
        }
      },
    });
  } finally {
    progress.stop();
  }
}

/** @throws RadialError RC1206 */
function shardOf(value: string): Shard {
  const [index = NaN, count = NaN] = /^(\d{1,9})\/(\d{1,9})$/.exec(value)?.slice(1).map(Number) ?? [];
  if (index < count) return { index, count };
  return fail('RC1206', `there is no shard ${value}`, {
    place: { subject: 'option --shard' },
    help: 'give i/n with i from 0 to n - 1: the shards of three are 0/3, 1/3 and 2/3',
  });
}

/** @throws RadialError RC1217, and what reading the file can end with */
function readImages(path: string, io: Io): readonly Pixels[] {
  const { items, route } = readForwardInput(path, io);
  const images = items.flatMap((item) => ('pixelValues' in item ? [item.pixelValues] : []));
  if (images.length === items.length && route === undefined) return images;
  return fail('RC1217', `the file holds ${route === undefined ? 'token ids' : 'a route'}, expected images alone`, {
    place: { file: path },
    help: 'give {"pixel_values": [image, …]}',
  });
}

function print({ profile, tokens, seconds }: Profiled, { output, format }: ProfileOptions, io: Io): void {
  const speed = tokens / seconds;
  if (format === 'json') {
    io.out(JSON.stringify({ ...profileJson(profile, output), seconds, tokensPerSecond: speed }, null, 2));
    return;
  }
  io.out(profileReport(profile, output));
  if (tokens > 0) io.out(`${tokens} tokens in ${seconds.toFixed(1)} s, ${speed.toFixed(0)} tokens/s`);
}

/** What `--format=json` prints of a profile: its statistics, without the counts. */
export function profileJson(profile: Profile, output: string): object {
  const { subject, shard, windows, tokens } = profile;
  const { model, roles, kv, blocks } = summaryOf(profile);
  return { output, ...subject, shard, windows, tokens, statistics: { model, roles, kv }, blocks };
}

/** A line for each block: quartiles of both ratios, and the median of the first as a bar; KV errors of attention blocks. */
export function profileReport(profile: Profile, output: string): string {
  const { subject, shard, windows, tokens } = profile;
  const summary = summaryOf(profile);
  const longest = Math.max(...summary.blocks.map(({ input }) => input?.median ?? 0));
  const rows = [
    ...summary.blocks.map(({ id, role, input, output: ofSum }) => [
      `^${id}`,
      role,
      ...quartiles(input),
      ...quartiles(ofSum),
      bar((input?.median ?? 0) / longest),
    ]),
    ...pooledRows(summary),
  ];
  const part = shard.count === 1 ? '' : `, shard ${shard.index}/${shard.count}`;
  const kind = subject.input === 'text' ? `windows of at most ${subject.window}` : 'images';
  return [
    `${output}: ${subject.model.family}, ${summary.blocks.length} blocks, ${tokens} tokens in ${windows} ${kind}${part}`,
    '',
    table(['block', 'role', '‖f‖/‖x‖ 25%', 'median', '75%', '‖f‖/‖x+f‖ 25%', 'median', '75%', ''], rows),
    ...kvTable(summary),
  ].join('\n');
}

const kvColumns = {
  latest_k: 'latest k',
  latest_v: 'latest v',
  project_k: 'project k',
  project_v: 'project v',
  absent: 'absent x+f',
} as const satisfies Record<keyof Summary['kv'], string>;

/** Medians and 95 % quantiles of relative errors; nothing where none were counted. */
function kvTable({ blocks, kv }: Summary): readonly string[] {
  const names = Object.keys(kvColumns) as readonly (keyof typeof kvColumns)[];
  const row = (name: string, found: Summary['kv']): readonly string[] => {
    return [name, ...names.flatMap((report) => [decimals(found[report]?.median), decimals(found[report]?.p95)])];
  };
  const there = blocks.filter((block) => Object.keys(block.kv).length > 0);
  if (there.length === 0) return [];
  const rows = [...there.map((block) => row(`^${block.id}`, block.kv)), row('all', kv)];
  const head = ['KV errors', ...names.flatMap((report) => [kvColumns[report], '95%'])];
  return ['', table(head, rows)];
}

function decimals(value: number | undefined): string {
  return value?.toFixed(4) ?? '';
}

function pooledRows({ model, roles }: Summary): readonly (readonly string[])[] {
  const row = (name: string, { input, output }: Summary['model']): readonly string[] => {
    return ['all', name, ...quartiles(input), ...quartiles(output), ''];
  };
  return [row('attention', roles.attention), row('mlp', roles.mlp), row('blocks', model)];
}

function quartiles(statistics: Statistics | null): readonly string[] {
  if (statistics === null) return ['', '', ''];
  const { p25, median, p75 } = statistics;
  return [p25, median, p75].map((value) => value.toFixed(4));
}

const WIDTH = 12;

/** Blocks, the last one in eighths. */
function bar(share: number): string {
  const eighths = Math.round((Number.isFinite(share) ? share : 0) * WIDTH * 8);
  return '█'.repeat(Math.floor(eighths / 8)) + ('▏▎▍▌▋▊▉'[(eighths % 8) - 1] ?? '');
}
