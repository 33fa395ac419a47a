/** @file Studies: all that is known of a model on a text, as data. */
export { kvTable } from './kv-table.ts';
export { studyText } from './print.ts';
export { studyModel } from './run.ts';
export { STUDY_FORMAT } from './study.ts';
export type {
  Fit,
  Graph,
  LevelTable,
  PassageToken,
  Quartiles,
  RatioTable,
  RoutePoint,
  Series,
  Study,
  StudyRequest,
  TimedPoint,
  Timing,
  Traffic,
} from './study.ts';
export { sweepModel } from './sweep.ts';
export type { SweepRequest } from './sweep.ts';
export { sweepText } from './sweep-file.ts';
export type { Sweep } from './sweep-file.ts';
export { trafficOf } from './traffic.ts';
