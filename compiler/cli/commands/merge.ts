/** @file `radialc merge`: the shards of a profile become the whole. */
import { Command } from 'commander';
import { mergeProfiles } from '../../routing/index.ts';
import type { Io } from '../io.ts';
import { formatOption } from '../options.ts';
import type { FormatOptions } from '../options.ts';
import { profileJson, profileReport } from './profile.ts';

interface MergeOptions extends FormatOptions {
  readonly output: string;
}

export function mergeCommand(io: Io): Command {
  return new Command('merge')
    .description('make one profile of all its shards; it equals that of a single run, byte for byte')
    .argument('<profiles...>', 'what radialc profile --shard has written, in any order')
    .requiredOption('-o, --output <file>', 'the profile; one that is there is replaced')
    .addOption(formatOption())
    .addHelpText('after', '\nExample:\n  $ radialc merge 0.json 1.json 2.json -o profile.json')
    .action((paths: readonly string[], { output, format }: MergeOptions) => {
      const profile = mergeProfiles(paths, output);
      io.out(
        format === 'json' ? JSON.stringify(profileJson(profile, output), null, 2) : profileReport(profile, output),
      );
    });
}
