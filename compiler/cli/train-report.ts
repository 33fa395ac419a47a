/** @file What `radialc train` says while it runs: of its steps, and of its checkpoints. */
import type {
  Checkpoint,
  HubEvaluation,
  RoutedSettings,
  SessionRequest,
  StepReport,
  TrainSettings,
} from '../training/index.ts';
import type { Io } from './io.ts';
import type { FormatOptions } from './options.ts';

/** Steps between two lines. */
const LINE_EVERY = 20;
/** The share of the tokens from which on a gate or a block counts as settled: nearly all; or nearly none. */
const SETTLED = 0.995;

/** A line now and then: mean loss, depth, speed, time left; a line for each checkpoint. */
export function createReporter(
  { batch, tokens, optimizer, routed }: TrainSettings,
  { format }: FormatOptions,
  io: Io,
): Pick<SessionRequest, 'onBegin' | 'onStep' | 'onCheckpoint'> {
  let since = performance.now();
  let reports: StepReport[] = [];
  const say = (event: object, line: string): void => {
    if (format === 'json') io.out(JSON.stringify(event));
    else io.err(line);
  };
  return {
    onBegin: ({ parameters, step }) => {
      say({ parameters, step }, `${parameters} numbers to train; from step ${step} to ${optimizer.steps}`);
    },
    onStep: (report) => {
      reports.push(report);
      if (report.step % LINE_EVERY !== 0) return;
      const seconds = (performance.now() - since) / 1000;
      const mean = (of: (one: StepReport) => number): number =>
        reports.reduce((sum, one) => sum + of(one), 0) / reports.length;
      const loss = mean((one) => one.loss);
      const depth = routed && mean((one) => one.measured?.depth ?? NaN);
      const tokensPerSecond = (reports.length * batch * tokens) / seconds;
      const minutes = ((optimizer.steps - report.step) * seconds) / reports.length / 60;
      const deep = depth === undefined ? '' : `  depth ${(100 * depth).toFixed(1)} %`;
      say(
        { step: report.step, loss, ...(depth !== undefined && { depth }), tokensPerSecond, minutesLeft: minutes },
        `step ${report.step}/${optimizer.steps}  loss ${loss.toFixed(4)}${deep}  ${tokensPerSecond.toFixed(0)} tokens/s  ${minutes.toFixed(1)} min left`,
      );
      since = performance.now();
      reports = [];
    },
    onCheckpoint: (checkpoint) => {
      say(checkpoint, `step ${checkpoint.step}: saved${heldOutLine(checkpoint, routed)}`);
    },
  };
}

function heldOutLine({ heldOut }: Checkpoint, routed: RoutedSettings | undefined): string {
  if (heldOut === undefined) return '';
  const loss = `; held out ${heldOut.loss.toFixed(4)} nats per token`;
  if (!('usage' in heldOut) || routed === undefined) return loss;
  if ('routes' in heldOut) return loss + routesLine(heldOut);
  const blocks = (are: (used: number) => boolean): readonly number[] =>
    routed.config.gatedBlocks.filter((_, i) => are(heldOut.usage[i] ?? 0));
  const [always, never] = [blocks((used) => used > SETTLED), blocks((used) => used < 1 - SETTLED)];
  const list = (name: string, ids: readonly number[]): string =>
    ids.length === 0 ? '' : `, ${name}: ${ids.join(', ')}`;
  return `${loss} at ${(100 * heldOut.depth).toFixed(1)} % of the blocks${list('always open', always)}${list('never open', never)}`;
}

/** How far the routes have collapsed: behind the loss of a checkpoint. */
function routesLine({ routes, usage }: HubEvaluation): string {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const list = (name: string, is: (used: number) => boolean): string => {
    const blocks = usage.flatMap((used, block) => (is(used) ? [block] : []));
    return blocks.length === 0 ? '' : `, ${name}: ${blocks.join(', ')}`;
  };
  return (
    ` in ${routes.hops.toFixed(2)} hops` +
    list('always used', (used) => used > SETTLED) +
    list('never used', (used) => used < 1 - SETTLED) +
    `; evenness ${percent(routes.evenness)}, at the cap ${percent(routes.capped)}, stays ${percent(routes.selfLoops)}, ` +
    `one route ${percent(routes.sameRoute)}, one route at each position ${percent(routes.sameAtPosition)}, ` +
    `entropy ${routes.entropy.map((bits) => bits.toFixed(2)).join(' ')} bits`
  );
}
