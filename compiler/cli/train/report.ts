/** @file What `radialc train` says while it runs: of its steps, and of its checkpoints. */
import type {
  Checkpoint,
  RoutedEvaluation,
  RoutedSettings,
  SessionRequest,
  StepReport,
  TrainSettings,
} from '../../training/index.ts';
import type { Io } from '../io.ts';
import type { FormatOptions } from '../options.ts';

/** Steps between two lines. */
const LINE_EVERY = 20;
/** The share of the tokens from which on a gate or a block counts as settled: nearly all; or nearly none. */
const SETTLED = 0.995;

/** A line for the first step, now and then, and for the last: mean loss, depth, speed, time left; a line for each checkpoint. */
export function createReporter(
  { batch, tokens, optimizer, routed }: TrainSettings,
  { format }: FormatOptions,
  io: Io,
): Pick<SessionRequest, 'onBegin' | 'onStep' | 'onCheckpoint'> {
  let since = performance.now();
  let reports: StepReport[] = [];
  let isFirst = true;
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
      if (!isFirst && report.step % LINE_EVERY !== 0 && report.step < optimizer.steps) return;
      isFirst = false;
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
      say(checkpoint, `step ${checkpoint.step}: saved${measuredLine(checkpoint, routed)}`);
    },
  };
}

function measuredLine({ heldOut, training }: Checkpoint, routed: RoutedSettings | undefined): string {
  const found = heldOut ?? training;
  if (found === undefined) return '';
  const loss = `; ${heldOut === undefined ? 'on the text itself' : 'held out'} ${found.loss.toFixed(4)} nats per token`;
  return found.routes !== undefined && routed !== undefined ? loss + routesLine(found, routed) : loss;
}

/** Where tokens go, and how far their routes have collapsed: behind the loss of a checkpoint. */
function routesLine({ routes, usage, depth }: RoutedEvaluation, { hub, config }: RoutedSettings): string {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const blocks = hub === undefined ? config.gatedBlocks : usage.map((_, block) => block);
  const list = (name: string, is: (used: number) => boolean): string => {
    const found = blocks.filter((_, i) => is(usage[i] ?? 0));
    return found.length === 0 ? '' : `, ${name}: ${found.join(', ')}`;
  };
  const undecided = blocks.filter((_, i) => (usage[i] ?? 0) >= 1 - SETTLED && (usage[i] ?? 0) <= SETTLED);
  const entropy = undecided.map((block) => `^${block} ${(routes.entropy[block] ?? NaN).toFixed(2)}`);
  return [
    hub === undefined ? ` at ${percent(depth)} of the blocks` : ` in ${routes.hops.toFixed(2)} hops`,
    list(hub === undefined ? 'always open' : 'always used', (used) => used > SETTLED),
    list(hub === undefined ? 'never open' : 'never used', (used) => used < 1 - SETTLED),
    '; ',
    hub === undefined ? '' : `evenness ${percent(routes.evenness)}, stays ${percent(routes.selfLoops)}, `,
    `at the cap ${percent(routes.capped)}, one route ${percent(routes.sameRoute)}, `,
    `one route at each position ${percent(routes.sameAtPosition)}`,
    entropy.length === 0 ? '' : `, entropy in bits: ${entropy.join(', ')}`,
  ].join('');
}
