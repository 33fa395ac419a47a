/** @file What a study takes from a profile: quartiles of each block, over more text than it reads itself. */
import { basename } from 'node:path';
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import { summaryOf } from '../profile/print.ts';
import { readProfile } from '../profile/read.ts';
import type { Statistics } from '../profile/statistics.ts';
import type { Origin } from './models.ts';
import type { Quartiles, Study } from './study.ts';

export interface ProfileRatios extends NonNullable<Study['ratios']['profile']> {
  /** For the oracle. */
  readonly thresholds: readonly number[];
}

/** @throws RadialError RC1262, and what reading a profile can end with */
export function readRatios(path: string, origin: Pick<Origin, 'path' | 'sha256'>): ProfileRatios {
  const profile = readProfile(path);
  const { sha256 } = profile.subject.model;
  if (sha256 !== origin.sha256) {
    fail('RC1262', `the profile is of model ${sha256.slice(0, 12)}…, this is ${origin.sha256.slice(0, 12)}…`, {
      place: { file: path },
      help: `make one with \`radialc profile ${origin.path}\`, or leave --profile out`,
    });
  }
  const { blocks, model } = summaryOf(profile);
  const quartiles = (found: Statistics | null): Quartiles | null =>
    found && { p25: found.p25, median: found.median, p75: found.p75 };
  return {
    file: basename(path),
    tokens: profile.tokens,
    blocks: blocks.map(({ input }) => quartiles(input)),
    thresholds: model.input === null ? [] : [model.input.p5, model.input.p25, model.input.median],
  };
}
