/** @file `radialc verify`: a compiled program against the reference interpreter. */
import { Command } from 'commander';
import { createRandom, fail } from '../../../ir/index.ts';
import { load } from '../../../runtime/index.ts';
import type { ForwardResult, Pixels, RadialModel, Route } from '../../../runtime/index.ts';
import { readCheckpointConfig } from '../../frontend/index.ts';
import type { Io } from '../io.ts';
import { formatOption, realNumber, wholeNumber } from '../options.ts';
import { isArtifact } from '../model.ts';
import type { BuildOptions, FormatOptions } from '../options.ts';
import { openReference } from '../reference.ts';
import type { Reference } from '../reference.ts';

interface VerifyOptions extends FormatOptions {
  readonly tokens: number;
  readonly sequences: number;
  readonly seed: number;
  readonly atol: number;
  readonly rtol: number;
}

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
    .argument('<checkpoint>', 'the folder it was compiled from')
    .option('--tokens <n>', 'tokens of a sequence', wholeNumber(1), 24)
    .option('--sequences <n>', 'sequences (or images)', wholeNumber(1), 2)
    .option('--seed <n>', 'of the random input and routes', wholeNumber(0), 0)
    .option('--atol <x>', 'largest absolute error', realNumber(0), 3e-4)
    .option('--rtol <x>', 'largest error relative to the largest logit, on top of it', realNumber(0), 1e-4)
    .addOption(formatOption())
    .addHelpText('after', '\nExample:\n  $ radialc verify ./out ./opt-125m --tokens 4 --sequences 1')
    .action(async (program: string, checkpoint: string, options: VerifyOptions) => {
      const model = await load(program, { signal: io.signal });
      const reference = await openReferenceOf(model, checkpoint);
      try {
        const differences: Difference[] = [];
        const cases = makeCases(model, options);
        const progress = io.progress('verifying');
        for (const [i, item] of cases.entries()) {
          progress.update(i, cases.length);
          differences.push(await compare(model, reference, item, options));
          io.signal.throwIfAborted();
        }
        progress.stop();
        report(differences, options, io);
      } finally {
        model.dispose();
        reference.close();
      }
    });
}

/** The checkpoint's network with the routing of the program. */
async function openReferenceOf({ info }: RadialModel, checkpoint: string): Promise<Reference> {
  const { routing, shapes, task, family } = info;
  const routed = [routing.entry, ...routing.blocks].some(({ router }) => router !== null);
  const options: BuildOptions = {
    route: routed ? 'external' : 'sequential',
    kv: routing.kv,
    revisit: routing.revisit,
    maxHops: routing.maxHops,
    ...(task === 'causal-lm' && { contextWindowSize: shapes.context }),
  };
  if (family !== 'rir' && isCheckpoint(checkpoint)) {
    const found = readCheckpointConfig(checkpoint).family;
    if (found !== family) {
      fail('RC1007', `the program was compiled from a ${family} model, the checkpoint is ${found}`, {
        place: { file: checkpoint },
        help: 'name the checkpoint that the program was compiled from',
      });
    }
  }
  const reference = await openReference(checkpoint, isArtifact(checkpoint) ? {} : options);
  const { network } = reference;
  if (network.task === task && network.context === shapes.context) return reference;
  reference.close();
  return fail(
    'RC1007',
    `the program is ${task} with ${shapes.context} positions, the checkpoint ${network.task} with ${network.context}`,
    {
      place: { file: checkpoint },
      help: 'name the checkpoint that the program was compiled from',
    },
  );
}

function isCheckpoint(path: string): boolean {
  return !isArtifact(path) && !path.endsWith('.rir');
}

function makeCases({ info }: RadialModel, options: VerifyOptions): readonly Case[] {
  const random = createRandom(options.seed);
  const { shapes, routing } = info;
  const routed = [routing.entry, ...routing.blocks].some(({ router }) => router !== null);
  return Array.from({ length: options.sequences }, (_, s) => s).flatMap((s): readonly Case[] => {
    if (shapes.image !== null) {
      const { channels, height, width } = shapes.image;
      const pixels = Float32Array.from({ length: channels * height * width }, () => (random() / 2 ** 32) * 2 - 1);
      return [{ name: `image ${s}`, input: { pixelValues: pixels }, mode: 'prefill' }];
    }
    const tokens = Math.min(options.tokens, shapes.context);
    const input = Array.from({ length: tokens }, () => random() % shapes.outputs);
    const modes = ['prefill', 'decode'] as const;
    const dense = modes.map((mode): Case => ({ name: `sequence ${s}, ${mode}`, input, mode }));
    if (!routed) return dense;
    const last = routing.blocks.at(-1)?.id ?? -1;
    const known = new Set(routing.blocks.map(({ id }) => id));
    const mask = Array.from({ length: last + 1 }, (_, id) =>
      input.map(() => (known.has(id) && random() % 2 === 0 ? 1 : 0)),
    );
    return [
      ...dense,
      ...modes.map((mode): Case => ({ name: `sequence ${s}, ${mode}, random mask`, input, mode, route: { mask } })),
    ];
  });
}

async function compare(
  model: RadialModel,
  reference: Reference,
  item: Case,
  { atol, rtol }: VerifyOptions,
): Promise<Difference> {
  const { name, input, mode, route } = item;
  const found = await model.forward(input, { mode, route });
  const expected = reference.forward(input, route);
  return { name, ...difference(found, expected, atol, rtol) };
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
  expected.logits.forEach((row, position) => {
    const largest = row.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    let worst = 0;
    row.forEach((value, i) => {
      const error = Math.abs(value - (found.logits[position]?.[i] ?? NaN));
      worst = Number.isNaN(error) ? Infinity : Math.max(worst, error);
    });
    maxAbs = Math.max(maxAbs, worst);
    maxRel = Math.max(maxRel, worst / Math.max(largest, Number.MIN_VALUE));
    const sameDepth = found.depth[position] === expected.depth[position];
    if ((worst > atol + rtol * largest || !sameDepth) && firstDivergent === null) firstDivergent = position;
  });
  return { maxAbs, maxRel, firstDivergent };
}

function report(differences: readonly Difference[], { format, atol, rtol, seed }: VerifyOptions, io: Io): void {
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
