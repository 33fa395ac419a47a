/**
 * @file A grid of evaluations: learned routers under several KV policies, thresholds and budgets, each beside the dense model.
 *
 * What is done is saved after each evaluation, so an interrupted sweep loses at most one.
 */
import type { Diagnostic } from '../../../ir/diagnostics/diagnostic.ts';
import type { KvPolicy } from '../../../ir/index.ts';
import type { RadialModel } from '../../../runtime/index.ts';
import { evaluateModel } from '../eval/evaluate.ts';
import type { Evaluation } from '../eval/evaluate.ts';
import type { Subject } from '../eval/subjects.ts';
import { checkOutput, writeOutput } from '../output.ts';
import { checkFile, describeFile } from '../text/files.ts';
import type { InputFile } from '../text/files.ts';
import { thresholdOfBudget } from './budget.ts';
import { createPrograms, denseHash, openOrigin } from './models.ts';
import type { Programs } from './models.ts';
import { requireRouters } from './settings.ts';
import {
  SWEEP_FORMAT,
  gridOf,
  partialSweep,
  readPartialSweep,
  removePartialSweep,
  requireNoSweep,
  sweepText,
} from './sweep-file.ts';
import type { Cell, Sweep, SweepRun } from './sweep-file.ts';

/** Where it cannot be written on. */
const KEPT = 'what is done goes on with --resume';

export interface SweepRequest {
  /** A checkpoint folder with learned routers. */
  readonly model: string;
  /** The dense model; default: the same checkpoint in sequence. */
  readonly against?: string | undefined;
  /** Texts. */
  readonly paths: readonly string[];
  /** Of gates; default: that of the model, unless there are budgets. */
  readonly thresholds?: readonly number[] | undefined;
  /** Of gates: shares of the blocks, for which thresholds are searched under each policy. */
  readonly budgets?: readonly number[] | undefined;
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
  writeOutput(out, sweepText(sweep), KEPT);
  removePartialSweep(out);
  return sweep;
}

type Settings = Omit<Sweep, 'runs' | 'complete'>;

async function settingsOf(request: SweepRequest): Promise<Settings> {
  const { model, against, paths, thresholds, budgets, policies, window, maxTokens, mode, signal } = request;
  const origin = await openOrigin(model, signal);
  requireRouters({ thresholds, budgets }, origin);
  const files: InputFile[] = [];
  for (const path of paths) files.push(await describeFile(path, 'text', signal));
  return {
    model: { sha256: origin.sha256, family: origin.family },
    against: against ?? null,
    dense: { sha256: against === undefined ? origin.sha256 : await denseHash(against, signal) },
    files,
    window: window ?? null,
    maxTokens: maxTokens ?? null,
    mode,
    policies: unique(policies ?? [origin.network.routing.kv]),
    thresholds: unique(thresholds ?? (budgets === undefined ? [null] : [])),
    budgets: unique(budgets ?? []),
  };
}

function unique<T>(values: readonly T[]): readonly T[] {
  return [...new Set(values)];
}

/** Adds the runs that are not done. */
async function runGrid(request: SweepRequest, settings: Settings, programs: Programs, done: SweepRun[]): Promise<void> {
  const { model: input, against: path = input, signal, out } = request;
  const grid = gridOf(settings);
  const against = { path, model: await programs.openDense(path, signal) };
  let warned = false;
  let opened: { readonly kv: KvPolicy; readonly model: RadialModel } | undefined;
  for (const cell of grid.slice(done.length)) {
    const { kv } = cell;
    if (opened?.kv !== kv) {
      opened?.model.dispose();
      opened = { kv, model: (await programs.open({ input, route: 'learned', kv, signal })).model };
    }
    const subject = { path: input, model: opened.model };
    const onProgress = (share: number): void => {
      request.onProgress((done.length + share) / grid.length);
    };
    const [run, warnings] = await runCell(request, cell, { subject, against, onProgress });
    if (!warned) warnings.forEach(request.onWarning);
    warned = true;
    done.push(run);
    writeOutput(partialSweep(out), sweepText({ ...settings, complete: false, runs: done }), KEPT);
  }
}

interface CellRun {
  readonly subject: Subject;
  readonly against: Subject;
  /** Of this cell, from 0 to 1. */
  readonly onProgress: (share: number) => void;
}

/** Where there is a budget, the first half of the progress is the search for its threshold. */
async function runCell(
  { paths, window, maxTokens, mode, signal }: SweepRequest,
  { kv, threshold: given, budget }: Cell,
  { subject, against, onProgress }: CellRun,
): Promise<readonly [SweepRun, Evaluation['warnings']]> {
  const common = { subject, against, paths, window, maxTokens, signal };
  const searching = (share: number): void => {
    onProgress(share / 2);
  };
  const threshold = budget === null ? given : await thresholdOfBudget({ ...common, budget, onProgress: searching });
  const { warnings, ...evaluation } = await evaluateModel({
    ...{ ...common, mode, threshold: threshold ?? undefined },
    onProgress: (share) => {
      onProgress(budget === null ? share : (1 + share) / 2);
    },
  });
  const { windows, tokens, model, against: dense, agreement, timing } = evaluation;
  return [{ kv, threshold, budget, windows, tokens, model, against: dense, agreement, timing }, warnings];
}
