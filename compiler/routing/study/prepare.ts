/** @file What a study needs before it runs: programs, texts, passes. */
import type { RadialModel } from '../../../runtime/index.ts';
import { commonCodec } from '../eval/codec.ts';
import { requireLike, windowFor } from '../eval/subjects.ts';
import type { Subject } from '../eval/subjects.ts';
import { shortTexts, windowsOf } from '../eval/windows.ts';
import type { Window } from '../eval/windows.ts';
import { describeFile } from '../text/files.ts';
import type { InputFile } from '../text/files.ts';
import { levelsOf } from './levels.ts';
import type { Level } from './levels.ts';
import type { Opened, Origin, Programs } from './models.ts';
import { piecesOf } from './passage.ts';
import type { ProfileRatios } from './profile.ts';
import type { StudyRequest } from './study.ts';

/** Tokens that the passage has at most. */
const PASSAGE_TOKENS = 160;

/** Models and text, opened. */
export interface Prepared {
  readonly request: StudyRequest;
  readonly origin: Origin;
  readonly levels: readonly Level[];
  readonly profile: ProfileRatios | null;
  /** With the routers of the checkpoint, or one that takes any route. */
  readonly main: Opened;
  readonly external: RadialModel;
  /** Asks an oracle where it is given no walk; under the KV policy of the others. */
  readonly oracle: RadialModel;
  readonly dense: RadialModel | undefined;
  readonly against: RadialModel | undefined;
  /** Takes any route, without probes: for timing. */
  readonly replay: RadialModel | undefined;
  readonly files: readonly InputFile[];
  readonly windows: readonly Window[];
  readonly pieces: readonly string[];
}

export async function prepare(
  request: StudyRequest,
  origin: Origin,
  programs: Programs,
  profile: ProfileRatios | null,
): Promise<Prepared> {
  const { model: input, paths, maxTokens, signal, timing } = request;
  const { routing } = origin.network;
  const against = request.against === undefined ? undefined : await programs.openDense(request.against, signal);
  const base = { input, signal };
  const free =
    origin.router === null
      ? ({ ...base, route: 'external', kv: 'project' } as const)
      : ({
          ...base,
          route: 'external',
          kv: routing.kv,
          revisit: routing.revisit,
          maxHops: Math.max(routing.maxHops, origin.network.blocks.length),
        } as const);
  const external = await programs.open({ ...free, probes: true });
  const subjects: Subject[] = [{ path: input, model: external.model }];
  if (against !== undefined) subjects.push({ path: request.against ?? '', model: against });
  requireLike(subjects);
  const oracle = await programs.open({ ...base, route: 'oracle_input', kv: free.kv });
  const window = windowFor(subjects, request.window);
  const codec = await commonCodec(subjects);
  const files: InputFile[] = [];
  for (const path of paths) files.push(await describeFile(path, 'text', signal));
  const windows: Window[] = [];
  for await (const each of windowsOf(codec, { paths, files, maxTokens }, window)) windows.push(each);
  const longest = Math.max(...windows.map(({ ids }) => ids.length));
  for (const warning of shortTexts(longest, window, paths)) request.onWarning(warning);
  const replay = timing || origin.router === null ? await programs.open(free) : undefined;
  const learned = origin.router === null ? undefined : await programs.open({ ...base, route: 'learned' });
  const main = learned ?? replay ?? external;
  return {
    ...{ request, origin, profile, files, windows, against, main },
    levels: levelsOf(origin.network, origin.router === null ? { route: 'external', kv: 'project' } : {}),
    external: external.model,
    oracle: oracle.model,
    replay: replay?.model,
    dense: timing ? (against ?? (await programs.openDense(input, signal))) : undefined,
    pieces: await piecesOf((windows[0]?.ids ?? []).slice(0, PASSAGE_TOKENS), codec.decode),
  };
}
