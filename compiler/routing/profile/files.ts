/** @file The files that a run leaves: the profile, and while it is made, what is done of it. */
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, lstatSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import { openNamed } from '../../frontend/files.ts';
import { FORMAT, profileText } from './print.ts';
import { differences } from './profile.ts';
import type { Profile } from './profile.ts';
import { readProfile } from './read.ts';

/** Where an unfinished profile stands. */
export function partialFile(out: string): string {
  return `${out}.partial`;
}

/**
 * Ends with RC1208 unless there is nothing, or a profile that may be replaced.
 * @param inputs - files that must not be replaced
 */
export function checkOutput(out: string, inputs: readonly string[] = []): void {
  const place = { file: out };
  const input = inputs.find((path) => resolve(path) === resolve(out));
  if (input !== undefined) {
    fail('RC1208', 'the output is one of the inputs', { place, help: 'give another -o; the inputs are kept' });
  }
  const stats = onDisk(out, () => lstatSync(out, { throwIfNoEntry: false }));
  if (stats === undefined || (stats.isFile() && looksLikeProfile(out))) return;
  const found = stats.isDirectory() ? 'a folder' : stats.isFile() ? 'another file' : 'something that is no file';
  fail('RC1208', `there is ${found} in the place of the output`, {
    place,
    help: 'give another -o, or remove it first',
  });
}

function looksLikeProfile(path: string): boolean {
  const file = openNamed(path);
  try {
    const start = new Uint8Array(Math.min(file.size, 64));
    file.read(0, start);
    const text = new TextDecoder().decode(start);
    return new RegExp(`^\\s*\\{\\s*"format"\\s*:\\s*"${FORMAT}"`).test(text);
  } finally {
    file.close();
  }
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

/** Writes the file under a temporary name and renames it: there is the old one or the new one. @throws RadialError RC1212 */
export function writeProfile(path: string, profile: Profile): void {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const text = profileText(profile);
  const file = onDisk(path, () => openSync(temporary, 'wx'));
  try {
    onDisk(path, () => {
      try {
        writeFileSync(file, text);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(temporary, path);
    });
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** After the profile is written. @throws RadialError RC1212 */
export function removePartial(out: string): void {
  const file = partialFile(out);
  onDisk(file, () => {
    rmSync(file, { force: true });
  });
}

/** Runs a file operation; what the system refuses becomes RC1212. */
function onDisk<T>(path: string, operation: () => T): T {
  try {
    return operation();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return fail('RC1212', `the system refused to write the profile (${code})`, {
      place: { file: path },
      help:
        code === 'ENOSPC'
          ? 'make room on the disk, and repeat the command with --resume'
          : 'choose a place that you may write to',
    });
  }
}
