/** @file A profile as JSON: the same profile is the same text, byte for byte. */
import { jsonLines } from '../output.ts';
import { HIGHEST, LOWEST, PER_OCTAVE } from './histogram.ts';
import { pooled } from './profile.ts';
import type { Profile, Role } from './profile.ts';
import { statisticsOf } from './statistics.ts';
import type { Statistics } from './statistics.ts';
import { UNITS, sumOf } from './tally.ts';
import type { Tally } from './tally.ts';

export const FORMAT = 'radial-profile';
/** Raised when an older reader could not read a newer profile correctly. */
export const VERSION = 1;

interface Pair {
  readonly input: Statistics | null;
  readonly output: Statistics | null;
}

function pairOf({ input, output }: { readonly input: Tally; readonly output: Tally }): Pair {
  return { input: statisticsOf(input), output: statisticsOf(output) };
}

/** What follows from the counts: of the model, of each role, of each block. */
export interface Summary {
  readonly model: Pair;
  readonly roles: Readonly<Record<Role, Pair>>;
  readonly blocks: readonly (Pair & { readonly id: number; readonly role: Role })[];
}

export function summaryOf(profile: Profile): Summary {
  const of = (role: Role): Pair => pairOf(pooled(profile, role));
  return {
    model: pairOf(pooled(profile)),
    roles: { attention: of('attention'), mlp: of('mlp') },
    blocks: profile.blocks.map(({ id, role, input, output }) => ({ id, role, ...pairOf({ input, output }) })),
  };
}

/** As plain data, in the order of the file. */
export function profileData(profile: Profile) {
  const { subject, shard, next, windows, tokens, blocks } = profile;
  const { model, roles: ofRoles, blocks: ofBlocks } = summaryOf(profile);
  return {
    format: FORMAT,
    version: VERSION,
    ...subject,
    shard,
    next,
    windows,
    tokens,
    histogram: { perOctave: PER_OCTAVE, lowest: LOWEST, highest: HIGHEST, unitsOfSum: UNITS },
    statistics: { model, roles: ofRoles },
    blocks: blocks.map(({ id, role, input, output }, i) => ({
      id,
      role,
      statistics: { input: ofBlocks[i]?.input ?? null, output: ofBlocks[i]?.output ?? null },
      input: tallyData(input),
      output: tallyData(output),
    })),
  };
}

/** The file. */
export function profileText(profile: Profile): string {
  const { blocks, ...fields } = profileData(profile);
  return jsonLines(fields, { blocks });
}

/** Buckets from the first to the last one that holds anything. */
function tallyData(tally: Tally) {
  const { zero, under, over, nonFinite, buckets, min, max } = tally;
  const some = min <= max;
  const first = Math.max(
    0,
    buckets.findIndex((value) => value > 0),
  );
  const last = buckets.findLastIndex((value) => value > 0);
  return {
    sum: sumOf(tally).toString(),
    min: some ? min : null,
    max: some ? max : null,
    zero,
    under,
    over,
    nonFinite,
    first,
    buckets: Array.from(buckets.subarray(first, last + 1)),
  };
}
