/** @file What is found out about a model and its blocks: profiles, evaluations, oracles. */
export { evaluateModel } from './eval/evaluate.ts';
export type { Evaluation, EvaluationRequest, Speed } from './eval/evaluate.ts';
export { EVALUATION_FORMAT, evaluationText } from './eval/print.ts';
export type { Agreement, Quality } from './eval/score.ts';
export type { Subject } from './eval/subjects.ts';
export { baselines } from './oracle/baselines.ts';
export type { Baseline } from './oracle/baselines.ts';
export { ORACLE_FORMAT, oracleSummary, oracleText } from './oracle/print.ts';
export type { OracleSummary, Routed } from './oracle/print.ts';
export { simulateOracle } from './oracle/run.ts';
export type { Oracle, OracleRequest } from './oracle/run.ts';
export { checkOutput, writeOutput } from './output.ts';
export { mergeProfiles } from './profile/merge.ts';
export { summaryOf } from './profile/print.ts';
export type { Summary } from './profile/print.ts';
export type { Profile, Shard } from './profile/profile.ts';
export { profileModel } from './profile/run.ts';
export type { Profiled, ProfileRequest } from './profile/run.ts';
export type { Statistics } from './profile/statistics.ts';
export { STUDY_FORMAT, kvTable, studyModel, studyText, sweepModel, sweepText, trafficOf } from './study/index.ts';
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
  Sweep,
  TimedPoint,
  Timing,
  Traffic,
} from './study/index.ts';
