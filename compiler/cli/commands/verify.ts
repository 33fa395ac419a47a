/** @file `radialc verify`: a compiled program against the reference interpreter. */
import { Command } from 'commander';
import { createRandom, fail } from '../../../ir/index.ts';
import { load } from '../../../runtime/index.ts';
import type { ForwardResult, Pixels, RadialModel, Route } from '../../../runtime/index.ts';
import type { Io } from '../io.ts';
import { formatOption, realNumber, wholeNumber } from '../options.ts';
import type { FormatOptions } from '../options.ts';
import { isRouted, openReferenceOf } from '../program-reference.ts';
import { walkDrawer } from '../random-walks.ts';
import type { WalkRules } from '../random-walks.ts';
import type { Reference } from '../reference.ts';

interface VerifyOptions extends FormatOptions {
  readonly tokens: number;
  readonly sequences: number;
  readonly seed: number;
  readonly atol?: number;
  readonly rtol?: number;
  readonly weights?: string;
}

interface Tolerances {
  readonly atol: number;
  readonly rtol: number;
}

const FLOAT: Tolerances = { atol: 3e-4, rtol: 1e-4 };
/** Where inputs are rounded to whole numbers, a last bit that differs before can become a whole step, which later blocks amplify. */
const ROUNDED: Tolerances = { atol: 3e-3, rtol: 5e-3 };

interface Case {
  readonly name: string;
  readonly input: readonly number[] | { readonly pixelValues: Pixels };
  readonly mode: 'prefill' | 'decode';
  readonly route?: Route;
}

interface Difference {
  readonly name: string;
  readonly maxAbs: number;
  readonly maxRel: number;
  /** Position of the first row out of tolerance, or null. */
  readonly firstDivergent: number | null;
}

export function verifyCommand(io: Io): Command {
  return new Command('verify')
    .description('compare a compiled program with the reference interpreter, on random input')
    .argument('<program>', 'the compiled program')
    .argument('<checkpoint>', 'the folder or the text that it was compiled from')
    .option('--tokens <n>', 'tokens of a sequence', wholeNumber(1), 24)
    .option('--sequences <n>', 'sequences (or images)', wholeNumber(1), 2)
    .option('--seed <n>', 'of the random input and routes', wholeNumber(0), 0)
    .option('--atol <x>', 'largest absolute error (default: 3e-4, with int8 weights 3e-3)', realNumber(0))
    .option(
      '--rtol <x>',
      'largest error relative to the largest logit, on top of it (default: 1e-4, with int8 weights 5e-3)',
      realNumber(0),
    )
    .option('--weights <dir>', 'for a .rir file: the folder with the tensors that it names')
    .addOption(formatOption())
    .addHelpText('after', '\nExample:\n  $ radialc verify ./out ./opt-125m --tokens 4 --sequences 1')
    .action(async (program: string, checkpoint: string, options: VerifyOptions) => {
      const model = await load(program);
      const reference = await openReferenceOf(model.info, checkpoint, options);
      try {
        const usual = model.info.dtype === 'fp32' ? FLOAT : ROUNDED;
        const settings = { ...options, atol: options.atol ?? usual.atol, rtol: options.rtol ?? usual.rtol };
        report(await compareAll(model, reference, settings, io), settings, io);
      } finally {
        model.dispose();
        reference.close();
      }
    });
}

/** Each sequence and image on the default route; of a program with routers on random walks, too. */
function makeCases({ info }: RadialModel, options: VerifyOptions): readonly Case[] {
  const random = createRandom(options.seed);
  const { shapes } = info;
  const draw = walkDrawer(info.routing, random);
  const withWalks = (item: Case, tokens: number, rules: WalkRules): Case => ({
    ...item,
    name: `${item.name}, ${rules.forward ? 'forward' : 'any'} walks`,
    route: { walk: Array.from({ length: tokens }, () => draw(rules)) },
  });
  return Array.from({ length: options.sequences }, (_, s) => s).flatMap((s): readonly Case[] => {
    if (shapes.image !== null) {
      const { channels, height, width } = shapes.image;
      const pixels = Float32Array.from({ length: channels * height * width }, () => (random() / 2 ** 32) * 2 - 1);
      const image: Case = { name: `image ${s}`, input: { pixelValues: pixels }, mode: 'prefill' };
      return isRouted(info) ? [image, withWalks(image, shapes.context, { forward: true })] : [image];
    }
    const input = Array.from({ length: Math.min(options.tokens, shapes.context) }, () => random() % shapes.vocabulary);
    const modes = ['prefill', 'decode'] as const;
    const plain = modes.map((mode): Case => ({ name: `sequence ${s}, ${mode}`, input, mode }));
    if (!isRouted(info)) return plain;
    const walked = [{ forward: true }, { forward: false }].flatMap((rules) =>
      plain.map((item) => withWalks(item, input.length, rules)),
    );
    return [...plain, ...walked];
  });
}

async function compareAll(
  model: RadialModel,
  reference: Reference,
  options: VerifyOptions & Tolerances,
  io: Io,
): Promise<readonly Difference[]> {
  const differences: Difference[] = [];
  const cases = makeCases(model, options);
  const progress = io.progress('verifying');
  try {
    for (const [i, { name, input, mode, route }] of cases.entries()) {
      progress.update(i, cases.length);
      const found = await model.forward(input, { mode, route });
      const expected = reference.forward(input, route);
      differences.push({ name, ...difference(found, expected, options.atol, options.rtol) });
    }
  } finally {
    progress.stop();
  }
  return differences;
}

/** Relative errors are relative to the largest expected logit of the row. */
export function difference(
  found: ForwardResult,
  expected: ForwardResult,
  atol: number,
  rtol: number,
): Omit<Difference, 'name'> {
  let [maxAbs, maxRel] = [0, 0];
  let firstDivergent: number | null = null;
  const positions = Math.max(found.logits.length, expected.logits.length);
  for (let position = 0; position < positions; position++) {
    const row = expected.logits[position] ?? new Float32Array();
    const worst = farthest(row, found.logits[position]);
    const largest = row.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    maxAbs = Math.max(maxAbs, worst);
    maxRel = Math.max(maxRel, worst === Infinity ? worst : worst / Math.max(largest, Number.MIN_VALUE));
    const same =
      worst < Infinity && worst <= atol + rtol * largest && found.depth[position] === expected.depth[position];
    if (!same) firstDivergent ??= position;
  }
  return { maxAbs, maxRel, firstDivergent };
}

/** The largest error in a row; infinite where a number is not finite, or the rows have other lengths. */
function farthest(expected: Float32Array, found: Float32Array | undefined): number {
  if (found?.length !== expected.length) return Infinity;
  return expected.reduce((worst, value, i) => {
    const error = Math.abs(value - (found[i] ?? NaN));
    return error < Infinity ? Math.max(worst, error) : Infinity;
  }, 0);
}

function report(
  differences: readonly Difference[],
  { format, atol, rtol, seed }: VerifyOptions & Tolerances,
  io: Io,
): void {
  const bad = differences.filter(({ firstDivergent }) => firstDivergent !== null);
  if (format === 'json') io.out(JSON.stringify({ ok: bad.length === 0, atol, rtol, seed, cases: differences }));
  else {
    for (const { name, maxAbs, maxRel, firstDivergent } of differences) {
      const verdict =
        firstDivergent === null
          ? io.colors.out.green('ok')
          : io.colors.out.red(`differs from token ${firstDivergent} on`);
      io.out(`${name}: max abs ${maxAbs.toExponential(2)}, max rel ${maxRel.toExponential(2)}, ${verdict}`);
    }
  }
  const [first] = bad;
  if (first === undefined) return;
  fail(
    'RC1004',
    `${bad.length} of ${differences.length} cases differ; first: ${first.name}, token ${first.firstDivergent ?? 0}, max abs ${first.maxAbs.toExponential(2)}`,
    {
      help: `was this program compiled from this checkpoint? The tolerance is ${atol} + ${rtol} · largest logit, the seed ${seed}`,
    },
  );
}
