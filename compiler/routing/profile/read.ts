/** @file Reads profiles back, and believes nothing that their counts do not say. */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import { parseJson, readNamed } from '../../frontend/index.ts';
import type { JsonDocument } from '../../frontend/json.ts';
import { kvReports } from '../../../runtime/artifact/index.ts';
import { BUCKETS, HIGHEST, LOWEST, PER_OCTAVE } from './histogram.ts';
import { FORMAT, VERSION, profileData } from './print.ts';
import { mapOf } from './profile.ts';
import type { Profile } from './profile.ts';
import { UNITS, finiteCount } from './tally.ts';
import type { Tally } from './tally.ts';

/** A thousand blocks come to some 50 MB. */
const MAX_BYTES = 64 * 1024 * 1024;

const natural = z.number().int().min(0);
const ratio = z.number().min(0);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const name = z.string().min(1).max(1000);
const family = z.string().regex(/^[\w.-]{1,100}$/);

const tally = z.strictObject({
  sum: z.string().regex(/^(0|[1-9]\d{0,99})$/),
  min: ratio.nullable(),
  max: ratio.nullable(),
  zero: natural,
  under: natural,
  over: natural,
  nonFinite: natural,
  first: natural.max(BUCKETS - 1),
  buckets: z.array(natural).max(BUCKETS),
});

const statistics = z
  .strictObject({
    count: natural,
    mean: ratio,
    min: ratio,
    max: ratio,
    median: ratio,
    p1: ratio,
    p5: ratio,
    p25: ratio,
    p75: ratio,
    p95: ratio,
    p99: ratio,
  })
  .nullable();
const pair = z.strictObject({ input: statistics, output: statistics });
const report = z.enum(kvReports);
const kvStatistics = z.partialRecord(report, statistics);

const schema = z.strictObject({
  format: z.literal(FORMAT),
  version: z.literal(VERSION),
  model: z.strictObject({ sha256, family }),
  tokenizer: sha256.nullable(),
  input: z.enum(['text', 'images']),
  window: natural.min(1),
  maxTokens: natural.min(1).nullable(),
  files: z.array(z.strictObject({ name, bytes: natural, sha256 })).min(1),
  shard: z.strictObject({ index: natural, count: natural.min(1) }),
  next: natural.nullable(),
  windows: natural,
  tokens: natural,
  histogram: z.strictObject({
    perOctave: z.literal(PER_OCTAVE),
    lowest: z.literal(LOWEST),
    highest: z.literal(HIGHEST),
    unitsOfSum: z.literal(UNITS),
  }),
  statistics: z.strictObject({
    model: pair,
    roles: z.strictObject({ attention: pair, mlp: pair }),
    kv: kvStatistics,
  }),
  blocks: z
    .array(
      z.strictObject({
        id: natural,
        role: z.enum(['attention', 'mlp']),
        statistics: pair.extend({ kv: kvStatistics }),
        input: tally,
        output: tally,
        kv: z.partialRecord(report, tally),
      }),
    )
    .min(1),
});

type Data = z.infer<typeof schema>;

/** What is known of a profile of any version. */
const header = z.looseObject({ format: z.literal(FORMAT), version: natural });

/** @throws RadialError RC0132, RC0134, RC0155, RC0150 to RC0154 (the file), RC1213 */
export function readProfile(path: string): Profile {
  const document = parseJson(readNamed(path, MAX_BYTES), path);
  const { data: known } = header.safeParse(document.value);
  if (known !== undefined && known.version !== VERSION) {
    refuse(document, `its format has version ${known.version}, expected ${VERSION}`, ['version']);
  }
  const parsed = schema.safeParse(document.value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return refuse(document, issue?.message ?? 'unexpected content', issue?.path ?? []);
  }
  const profile = profileOf(parsed.data);
  checkCounts(profile, document);
  if (!isDeepStrictEqual(profileData(profile), parsed.data)) {
    refuse(document, 'the statistics are not those of the counts', ['statistics']);
  }
  return profile;
}

function profileOf(data: Data): Profile {
  const { model, tokenizer, input, window, maxTokens, files, shard, next, windows, tokens, blocks } = data;
  return {
    subject: { model, tokenizer, input, window, maxTokens, files },
    shard,
    next,
    windows,
    tokens,
    blocks: blocks.map((block) => ({
      id: block.id,
      role: block.role,
      input: tallyOf(block.input),
      output: tallyOf(block.output),
      kv: mapOf(block.kv, tallyOf),
    })),
  };
}

function tallyOf({
  sum,
  min,
  max,
  first,
  buckets,
  zero,
  under,
  over,
  nonFinite,
}: Data['blocks'][number]['input']): Tally {
  const all = new Float64Array(BUCKETS);
  all.set(buckets.slice(0, BUCKETS - first), first);
  return {
    zero,
    under,
    over,
    nonFinite,
    buckets: all,
    sum: BigInt(sum),
    carry: 0,
    min: min ?? Infinity,
    max: max ?? -Infinity,
  };
}

/** What comparing the statistics does not show: numbers of windows and tokens, extremes, and the order of blocks. */
function checkCounts({ shard, next, windows, tokens, blocks }: Profile, document: JsonDocument): void {
  if (shard.index >= shard.count) refuse(document, 'there is no such shard', ['shard']);
  if (next !== null && windows !== Math.max(0, Math.ceil((next - shard.index) / shard.count))) {
    refuse(document, `${windows} windows of the shard cannot be done before window ${next}`, ['windows']);
  }
  for (const [i, { id, role, input, output, kv }] of blocks.entries()) {
    const place = ['blocks', i];
    const executed = executions(input);
    const others = [output, ...Object.values(kv)];
    if (others.some((counted) => executions(counted) !== executed) || executed > tokens) {
      refuse(document, `the counts of block ${id} contradict each other`, place);
    }
    if (role === 'mlp' && Object.keys(kv).length > 0) refuse(document, `block ${id} has no KV list`, place);
    if ([input, ...others].some((counted) => (finiteCount(counted) === 0) !== counted.min > counted.max)) {
      refuse(document, `the extremes of block ${id} are not those of its counts`, place);
    }
    if (id <= (blocks[i - 1]?.id ?? -1)) refuse(document, `block ${id} is not in its place`, place);
  }
}

function executions(counted: Tally): number {
  return finiteCount(counted) + counted.nonFinite;
}

function refuse(document: JsonDocument, message: string, path: readonly PropertyKey[]): never {
  return fail('RC1213', `the file is not a profile: ${message}`, {
    place: document.place(path),
    help: 'name a file that radialc profile or radialc merge has written, with this version of radialc',
  });
}
