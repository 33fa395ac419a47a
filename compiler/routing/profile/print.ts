/** @file A profile as JSON: the same profile is the same text, byte for byte. */
import { jsonLines } from '../output.ts';
import { HIGHEST, LOWEST, PER_OCTAVE } from './histogram.ts';
import { mapOf, pooled, pooledKv } from './profile.ts';
import type { Of, Profile, Role } from './profile.ts';
import { statisticsOf } from './statistics.ts';
import type { Statistics } from './statistics.ts';
import { UNITS, sumOf } from './tally.ts';
import type { Tally } from './tally.ts';

export const FORMAT = 'radial-profile';
/** Raised when an older reader could not read a newer profile correctly. */
export const VERSION = 2;

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
  readonly kv: Of<Statistics | null>;
  readonly blocks: readonly (Pair & {
    readonly id: number;
    readonly role: Role;
    readonly kv: Of<Statistics | null>;
  })[];
}

export function summaryOf(profile: Profile): Summary {
  const of = (role: Role): Pair => pairOf(pooled(profile, role));
  return {
    model: pairOf(pooled(profile)),
    roles: { attention: of('attention'), mlp: of('mlp') },
    kv: mapOf(pooledKv(profile), statisticsOf),
    blocks: profile.blocks.map(({ id, role, input, output, kv }) => {
      return { id, role, ...pairOf({ input, output }), kv: mapOf(kv, statisticsOf) };
    }),
  };
}

/** As plain data, in the order of the file. */
export function profileData(profile: Profile) {
  const { subject, shard, next, windows, tokens, blocks } = profile;
  const { model, roles: ofRoles, kv: ofKv, blocks: ofBlocks } = summaryOf(profile);
  return {
    format: FORMAT,
    version: VERSION,
    ...subject,
    shard,
    next,
    windows,
    tokens,
    histogram: { perOctave: PER_OCTAVE, lowest: LOWEST, highest: HIGHEST, unitsOfSum: UNITS },
    statistics: { model, roles: ofRoles, kv: ofKv },
    blocks: blocks.map(({ id, role, input, output, kv }, i) => ({
      id,
      role,
      statistics: {
        input: ofBlocks[i]?.input ?? null,
        output: ofBlocks[i]?.output ?? null,
        kv: ofBlocks[i]?.kv ?? {},
      },
      input: tallyData(input),
      output: tallyData(output),
      kv: mapOf(kv, tallyData),
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
