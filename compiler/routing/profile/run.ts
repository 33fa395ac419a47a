/**
 * @file Makes a profile: runs the windows of a shard through a program with probes, and counts what they report.
 *
 * What is done is saved every few windows, and when the run is interrupted or fails. A resumed run reads the input from its
 * start and passes over the windows that are done, so it ends in the same bytes as one without interruption.
 */
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import { kvReports } from '../../../runtime/artifact/index.ts';
import type { RadialModel } from '../../../runtime/index.ts';
import { openModel } from '../open.ts';
import type { OpenModel } from '../open.ts';
import { checkOutput, writeOutput } from '../output.ts';
import { checkFile, describeFile } from '../text/files.ts';
import { partialFile, readPartial, removePartial, requireNoPartial } from './files.ts';
import { FORMAT, profileText } from './print.ts';
import { countToken, createProfile } from './profile.ts';
import type { BlockPlan, Profile, Shard, Subject } from './profile.ts';
import { itemsOf } from './windows.ts';
import type { Item, Sources } from './windows.ts';

/** Where it cannot be written on. */
const KEPT = 'what is done goes on with --resume';

export interface ProfileRequest extends Sources {
  /** A checkpoint folder or IR text. */
  readonly model: string;
  readonly input: Subject['input'];
  readonly out: string;
  /** Default: the model's context. */
  readonly window?: number | undefined;
  readonly maxTokens?: number | undefined;
  readonly shard: Shard;
  readonly resume: boolean;
  /** Windows between two saves. */
  readonly saveEvery: number;
  readonly signal: AbortSignal;
  /** From 0 to 1. */
  readonly onProgress?: (share: number) => void;
  /** The run ends before its time, and what is done of it is in this file. */
  readonly onSaved?: (file: string) => void;
}

export interface Profiled {
  readonly profile: Profile;
  /** Tokens of this run, without those that an earlier one had counted, and how long they took. */
  readonly tokens: number;
  readonly seconds: number;
}

/** Makes the profile and writes it to `out`. @throws RadialError RC12xx, and what compilation can end with */
export async function profileModel(request: ProfileRequest): Promise<Profiled> {
  const { out, paths, input, resume, signal } = request;
  for (const path of paths) checkFile(path, input);
  checkOutput(out, { format: FORMAT, inputs: paths });
  if (!resume) requireNoPartial(out);
  const opened = await openModel(request.model, { window: request.window, kvProbes: true, signal });
  try {
    const fresh = createProfile(await subjectOf(request, opened), request.shard, plansOf(opened));
    const profile = resume ? readPartial(out, fresh) : fresh;
    const [started, before] = [performance.now(), profile.tokens];
    await runSaving(opened.model, profile, request);
    const seconds = (performance.now() - started) / 1000;
    writeOutput(out, profileText(profile), KEPT);
    removePartial(out);
    return { profile, tokens: profile.tokens - before, seconds };
  } finally {
    opened.model.dispose();
  }
}

/** The first attention block has none before it whose k and v it could be compared with. */
function plansOf({ model, hasKvProbes }: OpenModel): readonly BlockPlan[] {
  const { blocks } = model.info.routing;
  const first = blocks.findIndex(({ role }) => role === 'attention');
  return blocks.map(({ id, role }, i) => {
    const all = hasKvProbes && role === 'attention' ? kvReports : [];
    return { id, role, reports: i === first ? all.filter((report) => report === 'absent') : all };
  });
}

/** @throws RadialError RC1202, RC1203, RC1205 */
async function subjectOf(request: ProfileRequest, { model, sha256, tokenizer }: OpenModel): Promise<Subject> {
  const { input, paths, maxTokens, signal } = request;
  const { family, task, shapes } = model.info;
  const place = { file: request.model };
  const wanted = task === 'causal-lm' ? 'text' : 'images';
  if (input !== wanted) {
    fail('RC1202', `this is ${wanted === 'text' ? 'a language model' : 'an image model'}, which reads no ${input}`, {
      place,
      help: `give it --${wanted} FILE`,
    });
  }
  if (input === 'text' && tokenizer === null) {
    fail('RC1203', 'the model has no tokenizer', {
      place,
      help: 'put the tokenizer.json of the model into its folder',
    });
  }
  const files = [];
  for (const path of paths) files.push(await describeFile(path, input, signal));
  return {
    model: { sha256, family },
    tokenizer: input === 'text' ? tokenizer : null,
    input,
    window: shapes.context,
    maxTokens: maxTokens ?? null,
    files,
  };
}

/** Saves before the first window, so that a place that cannot be written to is found out at once. */
async function runSaving(model: RadialModel, profile: Profile, request: ProfileRequest): Promise<void> {
  const { out, onSaved } = request;
  writeOutput(partialFile(out), profileText(profile));
  try {
    await runAll(model, profile, request);
  } catch (error) {
    try {
      if (profile.windows === 0) removePartial(out);
      else writeOutput(partialFile(out), profileText(profile));
    } catch {
      // What was saved last is still there, and the error that ended the run says more.
    }
    if (profile.windows > 0) onSaved?.(partialFile(out));
    throw error;
  }
}

async function runAll(model: RadialModel, profile: Profile, request: ProfileRequest): Promise<void> {
  const { shard, saveEvery, onProgress, signal } = request;
  const done = profile.next ?? 0;
  let [index, unsaved] = [0, 0];
  for await (const item of itemsOf(model, profile.subject, request)) {
    signal.throwIfAborted();
    const mine = index >= done && index % shard.count === shard.index;
    if (mine) await countItem(model, profile, item, signal);
    index++;
    if (index > done) profile.next = index;
    if (!mine) continue;
    onProgress?.(item.progress);
    if (++unsaved % saveEvery === 0) writeOutput(partialFile(request.out), profileText(profile), KEPT);
  }
  profile.next = null;
}

/** All of the item or nothing of it: an interrupt comes before anything is counted. */
async function countItem(model: RadialModel, profile: Profile, { input }: Item, signal: AbortSignal): Promise<void> {
  const { probes = [], kvProbes, path } = await model.forward(input, { positions: [], signal });
  probes.forEach((norms, position) => {
    countToken(profile, { norms, kvNorms: kvProbes?.[position] }, path[position] ?? []);
  });
  profile.windows++;
}
