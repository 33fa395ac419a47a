/** @file Times the routes of a study, and sets beside each time what the cost model says. */
import { exitWalk } from '../oracle/baselines.ts';
import { fitLine } from './fit.ts';
import type { Prepared } from './prepare.ts';
import { predictedOf } from './predict.ts';
import type { CostModel } from './predict.ts';
import type { Route } from './routes.ts';
import type { Timing } from './study.ts';
import { timeRoutes } from './timing.ts';

/** Steps between no block and all. */
const LADDER = 8;
/** Of what is timed: sequences, and tokens of each. */
const [SAMPLE_WINDOWS, SAMPLE_TOKENS] = [3, 64];

/** Decodes along every route, and along early exits from no block to all of them. */
export async function measure(
  { request, origin, windows, dense, replay, main }: Prepared,
  routes: readonly Route[],
  cost: CostModel,
  onProgress: (share: number) => void,
): Promise<Timing> {
  const { seed, signal } = request;
  if (dense === undefined || replay === undefined) throw new Error('internal: nothing to time');
  const sample = windows.slice(0, SAMPLE_WINDOWS).map(({ ids }) => ids.slice(0, SAMPLE_TOKENS));
  const ids = origin.network.blocks.map(({ id }) => id);
  const ladder = [...new Set(Array.from({ length: LADDER + 1 }, (_, i) => Math.round((i / LADDER) * ids.length)))];
  const points = [
    ...routes.flatMap(({ series, setting, walks }, route) => {
      if (series === 'dense') return [];
      const taken = sample.map((tokens, i) => (walks[i] ?? []).slice(0, tokens.length));
      const decided = series === 'learned';
      const subject = decided
        ? { model: main.model, threshold: setting ?? undefined }
        : { model: replay, walks: taken };
      return [{ route, exit: null, taken, decided, subject }];
    }),
    ...ladder.map((exit) => {
      const taken = sample.map((tokens) => tokens.map(() => exitWalk(ids, exit)));
      return { route: null, exit, taken, decided: false, subject: { model: replay, walks: taken } };
    }),
  ];
  const {
    rounds,
    dense: denseMilliseconds,
    subjects,
  } = await timeRoutes(
    { model: dense },
    points.map(({ subject }) => subject),
    { sample, seed, signal, onProgress },
  );
  const timed = points.map(({ route, exit, taken, decided }, i) => {
    const { flops, bytes } = predictedOf(cost, taken, decided);
    const walks = taken.flat();
    return {
      ...{ route, exit, predicted: { flops, bytes } },
      depth: walks.reduce((sum, walk) => sum + walk.length, 0) / walks.length,
      ratio: subjects[i]?.ratio ?? { p25: NaN, median: NaN, p75: NaN },
      milliseconds: subjects[i]?.milliseconds ?? NaN,
    };
  });
  const fit = (of: 'flops' | 'bytes') =>
    fitLine(timed.map(({ predicted, ratio }) => [predicted[of], ratio.median * denseMilliseconds]));
  return {
    ...{ rounds, denseMilliseconds, points: timed },
    tokens: sample.reduce((sum, { length }) => sum + length, 0),
    fits: { flops: fit('flops'), bytes: fit('bytes') },
  };
}
