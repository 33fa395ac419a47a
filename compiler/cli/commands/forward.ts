/** @file `radialc forward`: logits and depth of given sequences or images. */
import { Command, Option } from 'commander';
import { readForwardInput, refuseItem } from '../forward-input.ts';
import type { ForwardInput } from '../forward-input.ts';
import type { Io } from '../io.ts';
import { isArtifact, openModel } from '../model.ts';
import { addBuildOptions, formatOption, thresholdOption } from '../options.ts';
import { openReference } from '../reference.ts';
import type { BuildOptions, FormatOptions } from '../options.ts';

interface ForwardOptions extends FormatOptions, BuildOptions {
  readonly input: string;
  readonly mode: 'prefill' | 'decode';
  readonly backend: 'compiled' | 'interpreter';
  readonly threshold?: number;
}

/** What either backend gives for one sequence or image. */
export interface Rows {
  readonly logits: readonly Float32Array[];
  readonly depth: readonly number[];
}

export function forwardCommand(io: Io): Command {
  const command = new Command('forward')
    .description('print the logits and the depth of every position of given sequences, or the logits of images')
    .argument('<model>', 'a compiled program or a checkpoint folder')
    .requiredOption(
      '--input <file>',
      '{"input_ids": [[…]], "mask": …?, "walk": …?} or {"pixel_values": […]}; - for stdin',
    )
    .addOption(
      new Option('--mode <mode>', 'all tokens together, or one after the other')
        .choices(['prefill', 'decode'])
        .default('prefill'),
    )
    .addOption(
      new Option('--backend <backend>', 'the program, or the reference')
        .choices(['compiled', 'interpreter'])
        .default('compiled'),
    )
    .addOption(thresholdOption())
    .addOption(formatOption());
  return addBuildOptions(command)
    .addHelpText(
      'after',
      '\nmask is [block][token] with 1 where the token executes the block, walk is [token][hop] with block ids; both apply to each\n' +
        'sequence and need a program with routers (--route external or learned). Blocks: 2·layer (attention), 2·layer + 1 (MLP).\n' +
        '\nExample:\n  $ echo \'{"input_ids": [[1, 2, 3]]}\' | radialc forward ./out --input - --format=json',
    )
    .action(async (path: string, options: ForwardOptions) => {
      const input = readForwardInput(options.input, io);
      const rows =
        options.backend === 'compiled'
          ? await forwardCompiled(path, input, options)
          : await forwardInterpreted(path, input, options);
      await print(rows, input, options, io);
    });
}

/** A checkpoint is compiled for external routes when the input brings one; programs and IR text have the edges they have. */
function withRoute(path: string, options: ForwardOptions, input: ForwardInput): ForwardOptions {
  const fixed = isArtifact(path) || path.endsWith('.rir');
  return fixed || input.route === undefined || options.route !== undefined
    ? options
    : { ...options, route: 'external' };
}

async function forwardCompiled(path: string, input: ForwardInput, options: ForwardOptions): Promise<readonly Rows[]> {
  const model = await openModel(path, withRoute(path, options, input));
  try {
    const settings = {
      mode: options.mode,
      ...(input.route !== undefined && { route: input.route }),
      threshold: options.threshold,
    };
    const rows: Rows[] = [];
    for (const [i, item] of input.items.entries()) {
      rows.push(await model.forward(item, settings).catch((error: unknown) => refuseItem(error, input, i)));
    }
    return rows;
  } finally {
    model.dispose();
  }
}

async function forwardInterpreted(
  path: string,
  input: ForwardInput,
  options: ForwardOptions,
): Promise<readonly Rows[]> {
  const reference = await openReference(path, withRoute(path, options, input));
  try {
    return input.items.map((item, i) => {
      try {
        return reference.forward(item, input.route, options.threshold);
      } catch (error) {
        return refuseItem(error, input, i);
      }
    });
  } finally {
    reference.close();
  }
}

async function print(rows: readonly Rows[], input: ForwardInput, options: ForwardOptions, io: Io): Promise<void> {
  if (options.format === 'json') {
    for (const piece of jsonPieces(rows, input.kind === 'images')) {
      io.write(piece);
      await io.flush();
    }
    return;
  }
  for (const [i, { logits, depth }] of rows.entries()) {
    io.out(`${input.kind === 'images' ? 'image' : 'sequence'} ${i}`);
    logits.forEach((values, position) => {
      io.out(
        `  ${input.kind === 'images' ? 'logits' : `position ${position}, depth ${depth[position] ?? 0}`}: ${summary(values)}`,
      );
    });
    await io.flush();
  }
}

/**
 * `{"logits": …, "depth": …}` and a line break, a row of logits at a time: all together may be longer than a string can
 * be. Logits are [sequence][position][id], or [image][label].
 */
function* jsonPieces(rows: readonly Rows[], images: boolean): Generator<string, void> {
  yield '{"logits":[';
  for (const [i, { logits }] of rows.entries()) {
    if (i > 0) yield ',';
    if (!images) yield '[';
    for (const [position, values] of logits.entries()) {
      yield `${position > 0 ? ',' : ''}${JSON.stringify(Array.from(values))}`;
    }
    if (!images) yield ']';
  }
  yield `],"depth":${JSON.stringify(rows.map(({ depth }) => depth))}}\n`;
}

/** The five highest, as id: value. */
function summary(values: Float32Array): string {
  const order = Array.from(values.keys()).sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0));
  return order
    .slice(0, 5)
    .map((id) => `${id}: ${(values[id] ?? 0).toFixed(4)}`)
    .join('  ');
}
