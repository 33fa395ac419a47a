/** @file `radialc targets`: what a program can be built for. */
import { Command } from 'commander';
import { targets } from '../../targets.ts';
import type { Io } from '../io.ts';
import { formatOption } from '../options.ts';
import type { FormatOptions } from '../options.ts';

export function targetsCommand(io: Io): Command {
  return new Command('targets')
    .description('list the targets and the number formats that each supports')
    .addOption(formatOption())
    .addHelpText('after', '\nExample:\n  $ radialc targets')
    .action(({ format }: FormatOptions) => {
      if (format === 'json') {
        io.out(
          JSON.stringify(
            targets.map(({ name, summary, dtypes }) => ({
              name,
              summary,
              dtypes: dtypes.map((dtype) => ({ name: dtype.name, summary: dtype.summary })),
            })),
            null,
            2,
          ),
        );
        return;
      }
      for (const { name, summary, dtypes } of targets) {
        io.out(`${name.padEnd(12)} ${summary}; number formats (--dtype) of the weights:`);
        for (const dtype of dtypes) io.out(`  ${dtype.name.padEnd(10)} ${dtype.summary}`);
      }
    });
}
