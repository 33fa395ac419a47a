/** @file The files that a run leaves: the profile, and while it is made, what is done of it. */
import { existsSync, rmSync } from 'node:fs';
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import { onDisk } from '../output.ts';
import { differences } from './profile.ts';
import type { Profile } from './profile.ts';
import { readProfile } from './read.ts';

/** Where an unfinished profile stands. */
export function partialFile(out: string): string {
  return `${out}.partial`;
}

/** Ends with RC1209 when there is an unfinished profile, which a new run would overwrite. */
export function requireNoPartial(out: string): void {
  const file = partialFile(out);
  if (!existsSync(file)) return;
  fail('RC1209', 'there is an unfinished profile of an earlier run', {
    place: { file },
    help: 'add --resume to go on with it, or remove the file',
  });
}

/**
 * The unfinished profile, which must be of the same subject and shard as `fresh`.
 * @throws RadialError RC1210 (there is none), RC1211 (other settings), what reading a profile can end with
 */
export function readPartial(out: string, fresh: Profile): Profile {
  const file = partialFile(out);
  const place = { file };
  if (!existsSync(file)) {
    fail('RC1210', 'there is no unfinished profile to resume', { place, help: 'start the run without --resume' });
  }
  const profile = readProfile(file);
  if (profile.next === null) {
    fail('RC1210', 'this profile is complete', { place, help: 'rename it, and start a new run without --resume' });
  }
  const found = shardText(profile);
  const [first] =
    found === shardText(fresh)
      ? differences(profile.subject, fresh.subject)
      : [{ field: 'shard', values: `${found} and ${shardText(fresh)}` }];
  if (first !== undefined) {
    fail('RC1211', `the unfinished profile has another ${first.field}: ${first.values}`, {
      place,
      help: 'repeat the first command with --resume added, or choose another -o',
    });
  }
  return profile;
}

function shardText({ shard }: Profile): string {
  return `${shard.index}/${shard.count}`;
}

/** After the profile is written. @throws RadialError RC1212 */
export function removePartial(out: string): void {
  const file = partialFile(out);
  onDisk(file, () => {
    rmSync(file, { force: true });
  });
}
