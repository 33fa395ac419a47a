/** @file `radialc init`: a checkpoint with random weights. */
import { Command, Option } from 'commander';
import { initCheckpoint } from '../../frontend/index.ts';
import type { WeightDtype } from '../../frontend/index.ts';
import type { Io } from '../io.ts';
import { folderName, formatOption, wholeNumber } from '../options.ts';
import type { FormatOptions } from '../options.ts';

interface InitOptions extends FormatOptions {
  readonly config: string;
  readonly seed: number;
  readonly output: string;
  readonly dtype: WeightDtype;
}

export function initCommand(io: Io): Command {
  return new Command('init')
    .description('write a checkpoint with random weights, for tests and benchmarks')
    .requiredOption('--config <file>', 'a config.json of any supported family')
    .requiredOption('-o, --output <dir>', 'the folder to make', folderName)
    .option('--seed <n>', 'the same seed gives the same bytes', wholeNumber(0), 0)
    .addOption(
      new Option('--dtype <dtype>', 'how the numbers are stored').choices(['F32', 'F16', 'BF16']).default('F32'),
    )
    .addOption(formatOption())
    .addHelpText('after', '\nExample:\n  $ radialc init --config opt-125m.json --seed 1 -o ./opt-random')
    .action(async (options: InitOptions) => {
      const progress = io.progress('writing');
      try {
        const result = await initCheckpoint({
          configPath: options.config,
          seed: options.seed,
          outDir: options.output,
          dtype: options.dtype,
          signal: io.signal,
          onProgress: ({ written, total }) => {
            progress.update(written, total);
          },
        });
        const { parameters, bytes, files } = result;
        if (options.format === 'json') io.out(JSON.stringify({ output: options.output, parameters, bytes, files }));
        else {
          io.out(
            `${options.output}: ${result.config.family}, ${parameters.toLocaleString('en')} parameters, ${(bytes / 1e6).toFixed(1)} MB`,
          );
        }
      } finally {
        progress.stop();
      }
    });
}
