/** @file What is found out about a model's blocks: profiles. */
export { mergeProfiles } from './profile/merge.ts';
export { summaryOf } from './profile/print.ts';
export type { Summary } from './profile/print.ts';
export type { Profile, Shard } from './profile/profile.ts';
export { profileModel } from './profile/run.ts';
export type { Profiled, ProfileRequest } from './profile/run.ts';
export type { Statistics } from './profile/statistics.ts';
