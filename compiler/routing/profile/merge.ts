/** @file Makes one profile of its shards: exactly what a single run over all windows would have counted. */
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import { checkOutput, writeOutput } from '../output.ts';
import { FORMAT, profileText } from './print.ts';
import { WHOLE, addProfile, createProfile, differences, planOf } from './profile.ts';
import type { Profile } from './profile.ts';
import { readProfile } from './read.ts';

/** Merges the profiles of these files into `out`. @throws RadialError RC1208, RC1212 to RC1216 */
export function mergeProfiles(paths: readonly string[], out: string): Profile {
  checkOutput(out, { format: FORMAT, inputs: paths });
  const shards = new Map<number, string>();
  let merged: Profile | undefined;
  let count = 0;
  for (const path of paths) {
    const profile = readProfile(path);
    if (merged === undefined) {
      merged = createProfile(profile.subject, WHOLE, profile.blocks.map(planOf));
      count = profile.shard.count;
    }
    checkShard(profile, { path, count, shards });
    checkSubject(profile, path, { profile: merged, path: paths[0] ?? '' });
    addProfile(merged, profile);
  }
  let missing = 0;
  while (shards.has(missing)) missing++;
  if (merged === undefined || missing < count) {
    return fail('RC1216', `shard ${missing}/${count} is missing`, {
      place: { file: out },
      help: 'name the profiles of all shards',
    });
  }
  merged.next = null;
  writeOutput(out, profileText(merged));
  return merged;
}

/** @param seen - the shards before this one and their files; gets this one too */
function checkShard(
  { shard, next }: Profile,
  { path, count, shards }: { readonly path: string; readonly count: number; readonly shards: Map<number, string> },
): void {
  const place = { file: path };
  const name = `${shard.index}/${shard.count}`;
  if (next !== null) {
    fail('RC1214', `the profile of shard ${name} is unfinished`, {
      place,
      help: 'repeat the command that began it, with --resume added',
    });
  }
  const other = shards.get(shard.index);
  if (shard.count !== count) {
    fail('RC1216', `this is shard ${name}, but ${shards.get(0) ?? [...shards.values()][0] ?? ''} is one of ${count}`, {
      place,
      help: 'merge the shards of one division',
    });
  }
  if (other !== undefined) {
    fail('RC1216', `shard ${name} is given twice, first as ${other}`, { place, help: 'name each shard once' });
  }
  shards.set(shard.index, path);
}

function checkSubject(
  { subject, blocks }: Profile,
  path: string,
  first: { readonly profile: Profile; readonly path: string },
): void {
  const place = { file: path };
  const [difference] = differences(first.profile.subject, subject);
  if (difference !== undefined) {
    fail('RC1215', `${first.path} and ${path} have another ${difference.field}: ${difference.values}`, {
      place,
      help: 'merge profiles of one model, made with the same options on the same files',
    });
  }
  const text = (list: Profile['blocks']): string => JSON.stringify(list.map(planOf));
  if (text(first.profile.blocks) !== text(blocks)) {
    fail('RC1213', 'the file is not a profile: it has other blocks than the model that it names', {
      place,
      help: 'name files that radialc profile has written',
    });
  }
}
