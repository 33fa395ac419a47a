/**
 * @file A grid of evaluations: learned routers under several KV policies and thresholds, each beside the dense model.
 *
 * What is done is saved after each evaluation, so an interrupted sweep loses at most one.
 */
import type { Diagnostic } from '../../../ir/diagnostics/diagnostic.ts';
import type { KvPolicy } from '../../../ir/index.ts';
import type { RadialModel } from '../../../runtime/index.ts';
import { evaluateModel } from '../eval/evaluate.ts';
import { checkOutput, writeOutput } from '../output.ts';
import { checkFile, describeFile } from '../text/files.ts';
import type { InputFile } from '../text/files.ts';
import { createPrograms, openOrigin } from './models.ts';
import type { Programs } from './models.ts';
import { requireGates, requireRouters } from './settings.ts';
import {
  SWEEP_FORMAT,
  partialSweep,
  readPartialSweep,
  removePartialSweep,
  requireNoSweep,
  sweepText,
} from './sweep-file.ts';
import type { Sweep, SweepRun } from './sweep-file.ts';

export interface SweepRequest {
  /** A checkpoint folder with learned routers. */
  readonly model: string;
  /** The dense model; default: the same checkpoint in sequence. */
  readonly against?: string | undefined;
  /** Texts. */
  readonly paths: readonly string[];
  /** Of gates; default: that of the model. */
  readonly thresholds?: readonly number[] | undefined;
  /** Default: that of the model. */
  readonly policies?: readonly KvPolicy[] | undefined;
  readonly window?: number | undefined;
  readonly maxTokens?: number | undefined;
  readonly mode: 'prefill' | 'decode';
  readonly out: string;
  readonly resume: boolean;
  readonly signal: AbortSignal;
  /** From 0 to 1. */
  readonly onProgress: (share: number) => void;
  /** The sweep ends before its time, and what is done of it is in this file. */
  readonly onSaved: (file: string) => void;
  /** RC1227; once. */
  readonly onWarning: (warning: Diagnostic) => void;
}

/** Makes the sweep and writes it to `out`. @throws RadialError RC0274, RC1208, RC1212, RC1261, RC1263 to RC1267, those of an evaluation */
export async function sweepModel(request: SweepRequest): Promise<Sweep> {
  const { out, paths, resume } = request;
  for (const path of paths) checkFile(path, 'text');
  checkOutput(out, { format: SWEEP_FORMAT, inputs: paths });
  if (!resume) requireNoSweep(out);
  const settings = await settingsOf(request);
  const done = resume ? [...readPartialSweep(out, settings)] : [];
  writeOutput(partialSweep(out), sweepText({ ...settings, complete: false, runs: done }));
  const programs = createPrograms();
  try {
    await runGrid(request, settings, programs, done);
  } catch (error) {
    if (done.length === 0) removePartialSweep(out);
    else request.onSaved(partialSweep(out));
    throw error;
  } finally {
    programs.close();
  }
  const sweep: Sweep = { ...settings, complete: true, runs: done };
  writeOutput(out, sweepText(sweep));
  removePartialSweep(out);
  return sweep;
}

type Settings = Omit<Sweep, 'runs' | 'complete'>;

async function settingsOf(request: SweepRequest): Promise<Settings> {
  const { model, against, paths, thresholds, policies, window, maxTokens, mode, signal } = request;
  const origin = await openOrigin(model, signal);
  requireRouters(origin);
  requireGates({ thresholds }, origin);
  const files: InputFile[] = [];
  for (const path of paths) files.push(await describeFile(path, 'text', signal));
  return {
    model: { sha256: origin.sha256, family: origin.family },
    against: against ?? null,
    files,
    window: window ?? null,
    maxTokens: maxTokens ?? null,
    mode,
    policies: unique(policies ?? [origin.network.routing.kv]),
    thresholds: thresholds === undefined ? [null] : unique(thresholds),
  };
}

function unique<T>(values: readonly T[]): readonly T[] {
  return [...new Set(values)];
}

/** Adds the runs that are not done. */
async function runGrid(request: SweepRequest, settings: Settings, programs: Programs, done: SweepRun[]): Promise<void> {
  const { model: input, against = input, paths, window, maxTokens, mode, signal, out } = request;
  const { policies, thresholds } = settings;
  const grid = policies.flatMap((kv) => thresholds.map((threshold) => ({ kv, threshold })));
  const dense = { path: against, model: await programs.openDense(against, signal) };
  let warned = false;
  let opened: { readonly kv: KvPolicy; readonly model: RadialModel } | undefined;
  for (const { kv, threshold } of grid.slice(done.length)) {
    if (opened?.kv !== kv) {
      opened?.model.dispose();
      opened = { kv, model: (await programs.open({ input, route: 'learned', kv, signal })).model };
    }
    const subject = { path: input, model: withThreshold(opened.model, threshold) };
    const evaluation = await evaluateModel({
      ...{ subject, against: dense, paths, window, maxTokens, mode, signal },
      onProgress: (share) => {
        request.onProgress((done.length + share) / grid.length);
      },
    });
    if (!warned) evaluation.warnings.forEach(request.onWarning);
    warned = true;
    const { windows, tokens, model, against: ofDense, agreement, timing } = evaluation;
    done.push({ kv, threshold, windows, tokens, model, against: ofDense, agreement, timing });
    writeOutput(partialSweep(out), sweepText({ ...settings, complete: false, runs: done }));
  }
}

function withThreshold(model: RadialModel, threshold: number | null): RadialModel {
  if (threshold === null) return model;
  return { ...model, forward: (input, options) => model.forward(input, { ...options, threshold }) };
}
