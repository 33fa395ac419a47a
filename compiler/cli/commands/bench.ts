/** @file `radialc bench`: how fast a program reads a prompt and writes tokens. */
import { cpus, totalmem } from 'node:os';
import { Command, Option } from 'commander';
import { createRandom } from '../../../ir/index.ts';
import { fail } from '../../../ir/index.ts';
import type { RadialModel } from '../../../runtime/index.ts';
import { packageVersion } from '../../package-info.ts';
import { visible } from '../format.ts';
import type { Io } from '../io.ts';
import { openModel } from '../model.ts';
import { addBuildOptions, wholeNumber } from '../options.ts';
import type { BuildOptions } from '../options.ts';

interface BenchOptions extends BuildOptions {
  readonly prompt: number;
  readonly new: number;
  readonly repetitions: number;
  readonly seed: number;
  readonly format: 'md' | 'json';
}

interface Series {
  /** `pp128`: a prompt of 128 tokens; `tg32`: one of 32 new tokens; `tg32×4`: a step of four sequences. */
  readonly test: string;
  readonly tokens: number;
  /** Milliseconds of each repetition; of `tg` for each token or step. */
  readonly samples: readonly number[];
}

export function benchCommand(io: Io): Command {
  const command = new Command('bench')
    .description('measure prefill and decode; tokenizing and sampling are not included')
    .argument('<model>', 'a compiled program or a checkpoint folder')
    .option('-p, --prompt <n>', 'tokens of the prompt', wholeNumber(1), 128)
    .option('-n, --new <n>', 'tokens to decode after it', wholeNumber(1), 32)
    .option('-r, --repetitions <n>', 'counted repetitions, after a warm-up', wholeNumber(1), 5)
    .option('--seed <n>', 'of the random token ids', wholeNumber(0), 0)
    .addOption(
      new Option('--format <format>', 'a table, or JSON with every sample').choices(['md', 'json']).default('md'),
    );
  return addBuildOptions(command)
    .addHelpText(
      'after',
      '\nA program for several sequences is measured with 1, 2, 4, … of them.\n\nExamples:\n  $ radialc bench ./out -p 128 -n 32 -r 5\n  $ radialc bench ./opt-125m --sequences 8',
    )
    .action(async (path: string, options: BenchOptions) => {
      const model = await openModel(path, options);
      try {
        const series = await measure(model, options, io);
        io.out(
          visible(
            options.format === 'json'
              ? JSON.stringify(jsonReport(model, series, options), null, 2)
              : mdReport(model, series),
          ),
        );
      } finally {
        model.dispose();
      }
    });
}

async function measure(model: RadialModel, options: BenchOptions, io: Io): Promise<readonly Series[]> {
  const { shapes, task } = model.info;
  if (task !== 'causal-lm') return [await measureImages(model, options, io)];
  const { prompt, new: count, repetitions, seed } = options;
  if (prompt + count + 1 > shapes.context) {
    fail('RC0905', `${prompt} tokens and ${count + 1} new ones do not fit into the context of ${shapes.context}`, {
      help: 'choose -p and -n smaller',
    });
  }
  const random = createRandom(seed);
  const ids = Array.from({ length: prompt }, () => random() % shapes.vocabulary);
  const prefill: number[] = [];
  const decode = batchSizes(shapes.sequences).map((sequences) => ({ sequences, samples: [] as number[] }));
  await repeat(repetitions, io, async (counts) => {
    const started = performance.now();
    await model.forward(ids, { positions: [prompt - 1] });
    const read = performance.now() - started;
    if (counts) prefill.push(read);
    for (const { sequences, samples } of decode) {
      const perStep = await decodeTime(model, { ids, sequences, count });
      if (counts) samples.push(perStep);
    }
  });
  return [
    { test: `pp${prompt}`, tokens: prompt, samples: prefill },
    ...decode.map(({ sequences, samples }) => {
      return { test: sequences === 1 ? `tg${count}` : `tg${count}×${sequences}`, tokens: sequences, samples };
    }),
  ];
}

/** Runs `once` for a warm-up, which does not count, and then for each repetition. */
async function repeat(repetitions: number, io: Io, once: (counts: boolean) => Promise<void>): Promise<void> {
  const progress = io.progress('measuring');
  try {
    for (let r = 0; r <= repetitions; r++) {
      progress.update(r, repetitions + 1);
      await once(r > 0);
    }
  } finally {
    progress.stop();
  }
}

/** Powers of two up to what the program holds, and that. */
function batchSizes(most: number): readonly number[] {
  const powers = Array.from({ length: Math.floor(Math.log2(most)) + 1 }, (_, i) => 2 ** i);
  return [...new Set([...powers, most])];
}

interface Decoding {
  readonly ids: readonly number[];
  /** Sequences that begin with them. */
  readonly sequences: number;
  readonly count: number;
}

/** Milliseconds a step: from the first new token of all sequences to their last, by the number of steps between. */
async function decodeTime(model: RadialModel, { ids, sequences, count }: Decoding): Promise<number> {
  const prompts = Array.from({ length: sequences }, () => ids);
  let [tokens, first] = [0, NaN];
  for await (const _ of model.generateMany(prompts, { maxNewTokens: count + 1, ignoreEos: true })) {
    if (++tokens === sequences) first = performance.now();
  }
  return (performance.now() - first) / count;
}

async function measureImages(model: RadialModel, { repetitions, seed }: BenchOptions, io: Io): Promise<Series> {
  const { channels = 0, height = 0, width = 0 } = model.info.shapes.image ?? {};
  const random = createRandom(seed);
  const pixelValues = Float32Array.from({ length: channels * height * width }, () => random() / 2 ** 31 - 1);
  const samples: number[] = [];
  await repeat(repetitions, io, async (counts) => {
    const started = performance.now();
    await model.forward({ pixelValues });
    if (counts) samples.push(performance.now() - started);
  });
  return { test: 'image', tokens: 1, samples };
}

function environment(): Readonly<Record<string, string | number>> {
  const [cpu] = cpus();
  return {
    radialc: packageVersion(),
    node: process.version,
    v8: process.versions.v8,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpu?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  };
}

function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? NaN)) / 2;
}

function jsonReport(
  { info }: RadialModel,
  series: readonly Series[],
  { prompt, new: count, repetitions, seed }: BenchOptions,
): object {
  const results = series.map(({ test, tokens, samples }) => {
    const middle = median(samples);
    return {
      test,
      unit: 'ms',
      median: middle,
      min: Math.min(...samples),
      tokensPerSecond: (1000 * tokens) / middle,
      samples,
    };
  });
  return {
    model: info.name,
    target: info.target,
    dtype: info.dtype,
    prompt,
    new: count,
    repetitions,
    seed,
    environment: environment(),
    results,
  };
}

function mdReport({ info }: RadialModel, series: readonly Series[]): string {
  const rows = series.map(({ test, tokens, samples }) => {
    const middle = median(samples);
    const cells = [
      test,
      `${middle.toFixed(2)} ms`,
      `${Math.min(...samples).toFixed(2)} ms`,
      ((1000 * tokens) / middle).toFixed(1),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  const about = Object.entries(environment()).map(([key, value]) => `${key} ${value}`);
  return [
    `**${info.name}** (${info.family}, ${info.target}, ${info.dtype})`,
    '',
    '| test | median | min | tokens/s |',
    '|---|---|---|---|',
    ...rows,
    '',
    about.join(' · '),
  ].join('\n');
}
