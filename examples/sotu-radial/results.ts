/**
 * @file The table of RESULTS.md: dense, learned and simulated routes on held-out text, at what quality and in what time.
 *
 *     npm run example -- examples/sotu-radial/results.ts --texts DIR --dense DIR --distill DIR --joint DIR \
 *       --joint-dense DIR --hub DIR --hub-compute DIR --hub-parameters DIR
 *
 * DIR is what texts.ts writes. Each model with routers is evaluated on all held-out text, studied beside the dense one on the
 * sample (`radialc study`: oracles, baselines and decode times take many passes), and compared with an oracle of about its
 * depth (`radialc oracle --router`). `--joint-dense` is a dense model of the same training as the joint one, `--hub-compute` and
 * `--hub-parameters` are those of the compute and the parameters of the hub; `--targets` are those of the trainings, as shares of
 * the blocks. Writes results.json beside this file, or `--out FILE`, and prints tables as Markdown.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** What is read of a study's and an oracle's JSON. */
interface Point {
  readonly series: 'dense' | 'learned' | 'oracle-on' | 'oracle-off' | 'random' | 'static' | 'exit';
  readonly setting: number | null;
  readonly depth: { readonly mean: number; readonly p50: number; readonly p95: number; readonly p99: number };
  readonly perplexity: number;
  readonly kl: number;
  readonly top1: number;
}
interface Study {
  readonly model: { readonly blocks: readonly unknown[] };
  readonly routing: { readonly threshold: number | null };
  readonly routes: readonly Point[];
  readonly timing: {
    readonly points: readonly { readonly route: number | null; readonly ratio: { readonly median: number } }[];
  } | null;
}
interface Evaluation {
  readonly tokens: number;
  readonly model: Pick<Point, 'depth' | 'perplexity'>;
  readonly against: Pick<Point, 'perplexity'> | null;
  readonly agreement: Pick<Point, 'kl' | 'top1'> | null;
}
interface Bench {
  readonly results: readonly { readonly test: string; readonly median: number }[];
}
interface Oracle {
  readonly thresholds: readonly {
    readonly threshold: number;
    readonly oracle: { readonly depth: Point['depth'] };
    readonly router: {
      readonly precision: number;
      readonly recall: number;
      readonly same: number;
      readonly depth: number;
    };
  }[];
}

/** A line of results.json; depths in blocks. */
interface Row {
  readonly method: string;
  /** Whose blocks are executed or skipped. */
  readonly model: string;
  /** The dense model that `kl`, `top1` and `decode_ms_ratio` compare with. */
  readonly against: string;
  /** Of the training, or of what is simulated beside a trained model. */
  readonly target_depth: number | null;
  readonly mean_depth: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly perplexity: number;
  readonly kl: number;
  readonly top1: number;
  readonly decode_ms_ratio: number | null;
}

const { values: options } = parseArgs({
  options: {
    dense: { type: 'string', default: 'examples/sotu-opt' },
    distill: { type: 'string' },
    joint: { type: 'string' },
    'joint-dense': { type: 'string' },
    hub: { type: 'string' },
    'hub-compute': { type: 'string' },
    'hub-parameters': { type: 'string' },
    targets: { type: 'string', default: '0.69,0.595' },
    'hub-target': { type: 'string', default: '16' },
    texts: { type: 'string', default: '.cache/sotu' },
    out: { type: 'string', default: join(dirname(fileURLToPath(import.meta.url)), 'results.json') },
    // All of the held-out text takes a minute for each model.
    'no-whole': { type: 'boolean', default: false },
    ratios: { type: 'string', default: '0.05,0.08,0.1,0.12,0.15,0.2,0.3' },
  },
});
const radialc = fileURLToPath(new URL('../../dist/compiler/cli/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'radialc-results-'));

/** The name of the dense model that routers were trained for. */
const BASE = 'base';
/** Benchmarks of each of two models whose times are compared. */
const TURNS = 9;
const BENCH = ['-p', '64', '-n', '128', '-r', '20'];
const LARGEST_OUTPUT = 2 ** 28;
/** Tokens: more than there are. */
const ALL = String(10 ** 9);

interface Named {
  readonly name: string;
  readonly dir: string;
}

/** A model that an option names, if it is given. */
function named(name: 'joint-dense' | 'hub' | 'hub-compute' | 'hub-parameters'): readonly Named[] {
  const dir = options[name];
  return dir === undefined ? [] : [{ name, dir }];
}

/** The JSON that a command on a text prints. */
function run(command: string, part: 'held-out' | 'sample', ...args: string[]): unknown {
  const texts = readdirSync(join(options.texts, part)).map((name) => join(options.texts, part, name));
  process.stderr.write(`radialc ${command} ${args.join(' ')} --text ${join(options.texts, part)}/*\n`);
  return json(command, ...args, '--max-tokens', ALL, '--text', ...texts);
}

function json(command: string, ...args: string[]): unknown {
  const { status, stdout } = spawnSync(process.execPath, [radialc, command, ...args, '--format', 'json'], {
    encoding: 'utf8',
    maxBuffer: LARGEST_OUTPUT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error(`radialc ${command} ended with ${status ?? 'a signal'}`);
  return JSON.parse(stdout) as unknown;
}

/** Rows of a study: the trained model at its own threshold, and what was simulated, nearest to its depth. */
function rowsOf(
  { routes, routing, timing, model }: Study,
  method: string,
  target: number,
  isFirst: boolean,
): readonly Row[] {
  const rowOf = (point: Point, name: string, wanted: number | null): Row => {
    const { depth, perplexity, kl, top1 } = point;
    const timed = timing?.points.find(({ route }) => route === routes.indexOf(point));
    return {
      method: name,
      model: point.series === 'dense' ? BASE : method,
      against: BASE,
      target_depth: wanted === null ? null : wanted * model.blocks.length,
      mean_depth: depth.mean,
      ...{ p50: depth.p50, p95: depth.p95, p99: depth.p99, perplexity, kl, top1 },
      decode_ms_ratio: point.series === 'dense' ? 1 : (timed?.ratio.median ?? null),
    };
  };
  const learned = routes.find(({ series, setting }) => series === 'learned' && setting === routing.threshold);
  if (learned === undefined) throw new Error(`${method} has no routers`);
  const near = (series: Point['series']): readonly Point[] => {
    const distance = ({ depth }: Point): number => Math.abs(depth.mean - learned.depth.mean);
    return routes
      .filter((point) => point.series === series)
      .sort((a, b) => distance(a) - distance(b))
      .slice(0, 1);
  };
  const dense = routes.filter(({ series }) => series === 'dense' && isFirst);
  const others = (['oracle-on', 'oracle-off', 'random', 'static', 'exit'] as const).flatMap((series) =>
    near(series).map((point) => rowOf(point, series, learned.depth.mean / model.blocks.length)),
  );
  return [...dense.map((point) => rowOf(point, 'dense', null)), rowOf(learned, method, target), ...others];
}

/** How often the router decides as the on-policy oracle of the nearest depth. */
function agreement(model: string, method: string): object {
  const out = join(folder, `${method}-oracle.json`);
  const args = [model, '--threshold', options.ratios, '--no-baselines', '--router', model, '-o', out];
  const { thresholds } = run('oracle', 'sample', ...args) as Oracle;
  const [nearest] = [...thresholds].sort(
    (a, b) => Math.abs(a.oracle.depth.mean - a.router.depth) - Math.abs(b.oracle.depth.mean - b.router.depth),
  );
  return { method, threshold: nearest?.threshold, oracle_depth: nearest?.oracle.depth.mean, ...nearest?.router };
}

/** A model beside a dense one, with its decode time in turns where it is another one; of the base it is not measured. */
function rowBeside(model: Named, against: Named, method: 'dense' | 'hub'): Row {
  const { model: found, agreement: near } = run('eval', 'sample', model.dir, '--against', against.dir) as Evaluation;
  const { mean: mean_depth, p50, p95, p99 } = found.depth;
  const { perplexity } = found;
  const isItself = model.dir === against.dir;
  return {
    ...{ method, model: model.name, against: against.name },
    target_depth: method === 'hub' ? Number(options['hub-target']) : null,
    ...{ mean_depth, p50, p95, p99, perplexity, kl: near?.kl ?? NaN, top1: near?.top1 ?? NaN },
    decode_ms_ratio: isItself ? 1 : against.name === BASE ? null : decodeRatio(model.dir, against.dir),
  };
}

function decodeRatio(dir: string, dense: string): number | null {
  const ratios = Array.from({ length: TURNS }, () => decodeTime(dir) / decodeTime(dense)).sort((a, b) => a - b);
  return ratios[Math.floor(TURNS / 2)] ?? null;
}

/** Milliseconds for a token. */
function decodeTime(dir: string): number {
  process.stderr.write(`radialc bench ${dir}\n`);
  const { results } = json('bench', dir, ...BENCH) as Bench;
  return results.find(({ test }) => test.startsWith('tg'))?.median ?? NaN;
}

try {
  const [distillTarget = NaN, jointTarget = NaN] = options.targets.split(',').map(Number);
  const models = [
    { method: 'distill', dir: options.distill, target: distillTarget },
    { method: 'joint', dir: options.joint, target: jointTarget },
  ].flatMap(({ dir, ...rest }) => (dir === undefined ? [] : [{ ...rest, dir }]));
  const whole = (options['no-whole'] ? [] : models).map(({ method, dir }) => ({
    method,
    found: run('eval', 'held-out', dir, '--against', options.dense) as Evaluation,
  }));
  const longer = named('joint-dense').map((dense) => rowBeside(dense, { name: BASE, dir: options.dense }, 'dense'));
  const hubRows = named('hub-compute').flatMap((compute) => [
    ...named('hub').map((hub) => rowBeside(hub, compute, 'hub')),
    ...[compute, ...named('hub-parameters')].map((dense) => rowBeside(dense, compute, 'dense')),
  ]);
  const rowsOfGates = models.flatMap(({ method, dir, target }, i) => {
    const page = join(folder, `${method}.html`);
    const found = run('study', 'sample', dir, '--against', options.dense, '-o', page) as Study;
    return rowsOf(found, method, target, i === 0);
  });
  const rows = [...rowsOfGates, ...longer, ...hubRows];
  const routers = models.map(({ method, dir }) => agreement(dir, method));
  writeFileSync(options.out, `[\n${rows.map((row) => ` ${JSON.stringify(row)}`).join(',\n')}\n]\n`);
  const cell = (value: number | null, digits: number): string => (value === null ? '' : value.toFixed(digits));
  const lines = rows.map(
    (row) =>
      `| ${row.method} | ${row.model} | ${cell(row.mean_depth, 2)} | ${row.p50} / ${row.p95} / ${row.p99} | ${cell(row.perplexity, 2)} | ` +
      `${cell(row.kl, 4)} | ${cell(100 * row.top1, 1)} % | ${cell(row.decode_ms_ratio, 3)} |`,
  );
  const head = ['method', 'model', 'depth', 'p50 / p95 / p99', 'perplexity', 'KL', 'top-1', 'decode time'];
  process.stdout.write(`| ${head.join(' | ')} |\n|${head.map(() => '---').join('|')}|\n${lines.join('\n')}\n\n`);
  for (const { method, found } of whole) {
    const { model, against, agreement: near, tokens } = found;
    process.stdout.write(
      `${method}, all ${tokens} held-out tokens: perplexity ${model.perplexity.toFixed(3)} at ${model.depth.mean.toFixed(2)} blocks, ` +
        `dense ${against?.perplexity.toFixed(3) ?? ''}; KL ${near?.kl.toFixed(4) ?? ''}\n`,
    );
  }
  for (const found of routers) process.stdout.write(`${JSON.stringify(found)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
