/**
 * @file Profiles of models of three kinds: what each residual block adds, and what the KV policies leave of a skipped one.
 *
 *     npm run example -- examples/sotu-radial/profiles.ts --texts DIR
 *     npm run example -- examples/sotu-radial/profiles.ts --texts DIR --stories DIR --vit DIR
 *
 * The bundled dense model is profiled on the sample that texts.ts writes. Models that are not in this repository are folders
 * with a checkpoint and an expected.json, whose inputs they are profiled on: a Llama of stories (`runs[i].text`), and an image
 * model (`images[i].pixel_values`). Where expected.json has residual ratios of an input, computed elsewhere, the profile of that
 * input must agree within 1e-4. Writes profiles.json (medians of each block; `-o`: elsewhere), and prints tables as Markdown.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** What is read of a profile's JSON. */
type Report = 'latest_k' | 'latest_v' | 'project_k' | 'project_v' | 'absent';
interface Found {
  readonly mean: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
}
type KvErrors = Readonly<Partial<Record<Report, Found | null>>>;
interface Pair {
  readonly input: Found;
  readonly output: Found;
}
interface Profile {
  readonly model: { readonly sha256: string; readonly family: string };
  readonly files: readonly { readonly name: string; readonly sha256: string }[];
  readonly tokens: number;
  readonly statistics: { readonly roles: Readonly<Record<'attention' | 'mlp', Pair>>; readonly kv: KvErrors };
  readonly blocks: readonly (Pair & { readonly id: number; readonly role: string; readonly kv: KvErrors })[];
}

/** Residual ratios of each token, computed elsewhere. */
interface Expected {
  readonly blocks: readonly {
    readonly index: number;
    readonly ratio_f_x: readonly number[];
    readonly ratio_f_sum: readonly number[];
  }[];
}

const { values: options } = parseArgs({
  options: {
    dense: { type: 'string', default: 'examples/sotu-opt' },
    texts: { type: 'string', default: '.cache/sotu' },
    stories: { type: 'string' },
    vit: { type: 'string' },
    output: { type: 'string', short: 'o', default: join(dirname(fileURLToPath(import.meta.url)), 'profiles.json') },
  },
});
const TOLERANCE = 1e-4;
const radialc = fileURLToPath(new URL('../../dist/compiler/cli/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'radialc-profiles-'));

function profile(model: string, ...inputs: readonly string[]): Profile {
  process.stderr.write(`radialc profile ${model}\n`);
  const all = [radialc, 'profile', model, ...inputs, '--format', 'json', '-o', join(folder, 'profile.json')];
  const { status, stdout } = spawnSync(process.execPath, all, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error(`radialc profile ${model} ended with ${status ?? 'a signal'}`);
  return JSON.parse(stdout) as Profile;
}

function written(name: string, content: string): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

/** The largest difference of a block's mean, minimum and maximum. */
function difference({ blocks }: Profile, inputs: readonly Expected[]): number {
  const differences = blocks.flatMap(({ id, input, output }) => {
    const [first, second] = (['ratio_f_x', 'ratio_f_sum'] as const).map((name) =>
      inputs.flatMap((each) => each.blocks.find(({ index }) => index === id)?.[name] ?? []),
    );
    return [[input, first ?? []] as const, [output, second ?? []] as const].flatMap(([found, ratios]) => [
      found.mean - ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length,
      found.min - Math.min(...ratios),
      found.max - Math.max(...ratios),
    ]);
  });
  const largest = Math.max(...differences.map(Math.abs));
  if (largest <= TOLERANCE) return largest;
  throw new Error(`residual ratios are ${largest} from those of expected.json`);
}

interface Profiled {
  readonly name: string;
  readonly profile: Profile;
  /** Largest difference from expected.json. */
  readonly difference: number | null;
}

function bundled(): Profiled {
  const dir = join(options.texts, 'sample');
  const texts = readdirSync(dir).map((name) => join(dir, name));
  return { name: 'sotu-opt', profile: profile(options.dense, '--text', ...texts), difference: null };
}

function stories(dir: string): Profiled {
  const expected = JSON.parse(readFileSync(join(dir, 'expected.json'), 'utf8')) as {
    readonly runs: readonly { readonly prompt: string; readonly text: string }[];
    readonly blocks_of_run_1: Expected;
  };
  const texts = expected.runs.map(({ text }, i) => written(`story-${i}.txt`, text));
  const prompt = written('prompt.txt', expected.runs[1]?.prompt ?? '');
  const checked = difference(profile(dir, '--text', prompt), [expected.blocks_of_run_1]);
  return { name: 'stories', profile: profile(dir, '--text', ...texts), difference: checked };
}

function images(dir: string): Profiled {
  const { images: inputs } = JSON.parse(readFileSync(join(dir, 'expected.json'), 'utf8')) as {
    readonly images: readonly (Expected & { readonly pixel_values: unknown })[];
  };
  const pixels = written('images.json', JSON.stringify({ pixel_values: inputs.map((each) => each.pixel_values) }));
  const found = profile(dir, '--images', pixels);
  return { name: 'vit', profile: found, difference: difference(found, inputs) };
}

function medians(kv: KvErrors): Readonly<Record<string, number | null>> {
  return Object.fromEntries(Object.entries(kv).map(([report, found]) => [report, found?.median ?? null]));
}

/** A model's lines of profiles.json. */
function dataOf({ name, profile: { model, files, tokens, blocks }, difference: off }: Profiled): string {
  const lines = blocks.map(({ id, role, input, output, kv }) => {
    return `   ${JSON.stringify({ id, role, input: input.median, output: output.median, ...medians(kv) })}`;
  });
  const head = { name, ...model, files, tokens, differenceFromExpected: off };
  return ` {"model": ${JSON.stringify(head)},\n  "blocks": [\n${lines.join(',\n')}\n  ]}`;
}

const reports: readonly Report[] = ['latest_k', 'latest_v', 'project_k', 'project_v', 'absent'];

function tableOf(all: readonly Profiled[]): string {
  const number = (found: Found | null | undefined): string => found?.median.toFixed(3) ?? '';
  const row = (name: string, attention: Pair | undefined, mlp: Pair | undefined, kv: KvErrors): string =>
    `| ${[name, number(attention?.input), number(mlp?.input), ...reports.map((report) => number(kv[report]))].join(' | ')} |`;
  const head = ['', 'attention', 'mlp', 'latest k', 'v', 'project k', 'v', 'absent'];
  const rows = all.flatMap(({ name, profile: { statistics, blocks } }, i) => {
    const layers = blocks.filter(({ role }) => role === 'attention');
    const each =
      i > 0 ? [] : layers.map((block) => row(`^${block.id}`, block, blocks[blocks.indexOf(block) + 1], block.kv));
    const { attention, mlp } = statistics.roles;
    return [...each, row(name, attention, mlp, statistics.kv)];
  });
  return [`| ${head.join(' | ')} |`, `|${head.map(() => '---').join('|')}|`, ...rows].join('\n');
}

try {
  const all = [
    bundled(),
    ...(options.stories === undefined ? [] : [stories(options.stories)]),
    ...(options.vit === undefined ? [] : [images(options.vit)]),
  ];
  writeFileSync(options.output, `[\n${all.map(dataOf).join(',\n')}\n]\n`);
  process.stdout.write(`${tableOf(all)}\n\n`);
  for (const { name, profile: found, difference: off } of all) {
    const checked = off === null ? '' : `, residual ratios within ${off.toExponential(1)} of expected.json`;
    process.stdout.write(`${name}: ${found.blocks.length} blocks, ${found.tokens} tokens${checked}\n`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
