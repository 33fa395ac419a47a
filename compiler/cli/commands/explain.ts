/** @file `radialc explain`: what a diagnostic's code means. */
import { Command } from 'commander';
import { fail, nearest } from '../../../ir/diagnostics/diagnostic.ts';
import { codes } from '../../codes.ts';
import type { Io } from '../io.ts';
import { formatOption } from '../options.ts';
import type { FormatOptions } from '../options.ts';

export function explainCommand(io: Io): Command {
  return new Command('explain')
    .description('say more about a diagnostic')
    .argument('[code]', 'for example RC0101; without it, the list of all codes')
    .addOption(formatOption())
    .addHelpText('after', '\nExamples:\n  $ radialc explain RC0101\n  $ radialc explain')
    .action((code: string | undefined, { format }: FormatOptions) => {
      if (code === undefined) {
        if (format === 'json') io.out(JSON.stringify(codes, null, 2));
        else for (const [name, info] of Object.entries(codes)) io.out(`${name}  ${info?.title ?? ''}`);
        return;
      }
      const name = code.toUpperCase();
      const info = codes[name];
      if (info === undefined) {
        const similar = nearest(name, Object.keys(codes));
        fail('RC1001', `there is no code ${name}`, {
          help:
            similar === undefined
              ? 'radialc explain lists all codes'
              : `did you mean ${similar}? radialc explain lists all codes`,
        });
      }
      if (format === 'json') io.out(JSON.stringify({ code: name, ...info }, null, 2));
      else io.out(`${name}: ${info.title}\n\n${info.explanation}`);
    });
}
