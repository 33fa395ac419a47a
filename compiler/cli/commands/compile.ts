/** @file `radialc compile`: a checkpoint or IR text to a program on disk. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { fail } from '../../../ir/index.ts';
import { passesNamed } from '../../../passes/index.ts';
import type { ManagerOptions } from '../../../passes/index.ts';
import { compile } from '../../build.ts';
import type { Compiled, Metafile } from '../../build.ts';
import { makeFolders } from '../../frontend/files.ts';
import { bytes, table } from '../format.ts';
import type { Io } from '../io.ts';
import { buildRequest } from '../model.ts';
import { addBuildOptions, formatOption } from '../options.ts';
import type { BuildOptions, FormatOptions } from '../options.ts';

interface CompileCommandOptions extends FormatOptions, BuildOptions {
  readonly output: string;
  readonly target: string;
  readonly dtype: string;
  readonly dumpPhasesTo?: string;
  readonly printIrAfter?: readonly string[];
  readonly compileFrom?: string;
  readonly timing?: boolean;
  readonly metafile?: string;
  readonly counters?: boolean;
}

export function compileCommand(io: Io): Command {
  const command = new Command('compile')
    .alias('build')
    .description('compile a checkpoint folder, or IR text, to a program that runs by itself')
    .argument('<input>', 'a folder with config.json and model.safetensors, or a .rir file')
    .requiredOption('-o, --output <dir>', 'the folder to make; a program that is there is replaced')
    .option('--target <target>', 'see `radialc targets`', 'wasm-simd')
    .option('--dtype <dtype>', 'number format of the weights', 'fp32');
  return addBuildOptions(command)
    .option('--dump-phases-to <dir>', 'write the module before the first pass and after each')
    .option('--compile-from <pass>', 'the .rir file was dumped after this pass: go on from there')
    .option('--print-ir-after <pass...>', 'print the module after these passes; `all` for every pass')
    .option('--timing', 'show how long each pass took')
    .option('--metafile <file>', 'write what the compilation did, as JSON')
    .addOption(new Option('--counters', 'count kernel calls in the program').hideHelp())
    .addOption(formatOption())
    .addHelpText(
      'after',
      '\nExamples:\n  $ radialc compile ./opt-125m -o ./out\n  $ radialc compile ./opt-125m -o ./out --route external --kv latest --max-hops 32\n' +
        '  $ radialc compile ./opt-125m -o ./out --dump-phases-to ./phases --timing\n' +
        '  $ radialc compile ./phases/11.fuse-norm.rir --compile-from fuse-norm --weights ./opt-125m -o ./out',
    )
    .action(async (input: string, options: CompileCommandOptions) => {
      const progress = io.progress('weights');
      try {
        const request = {
          ...buildRequest(input, options, io.signal),
          target: options.target,
          dtype: options.dtype,
          counters: options.counters,
          manager: managerOptions(options, io),
        };
        const compiled = await compile(request, {
          outDir: options.output,
          onProgress: (done, total) => {
            progress.update(done, total);
          },
        });
        progress.stop();
        report(compiled, options, io);
      } finally {
        progress.stop();
      }
    });
}

function managerOptions(options: CompileCommandOptions, io: Io): Omit<ManagerOptions, 'options'> {
  const { dumpPhasesTo: dir, compileFrom, printIrAfter } = options;
  if (dir !== undefined) {
    written(dir, () => {
      makeFolders(dir);
    });
  }
  return {
    ...(dir !== undefined && {
      dump: (n, name, text) => {
        write(join(dir, `${String(n).padStart(2, '0')}.${name}.rir`), text);
      },
    }),
    ...(compileFrom !== undefined && { startAfter: /^\d+$/.test(compileFrom) ? Number(compileFrom) : compileFrom }),
    ...(printIrAfter !== undefined && printAfter(printIrAfter, io)),
  };
}

/** @throws RadialError RC0601 for a name that no pass has */
export function printAfter(names: readonly string[], io: Io): Pick<ManagerOptions, 'printAfter' | 'print'> {
  passesNamed(names.filter((name) => name !== 'all'));
  return {
    printAfter: names,
    print: (name, text) => {
      io.err(`// after ${name}\n${text}`);
    },
  };
}

function report({ metafile }: Compiled, options: CompileCommandOptions, io: Io): void {
  if (options.metafile !== undefined) write(options.metafile, `${JSON.stringify(metafile, null, 2)}\n`);
  if (options.format === 'json') {
    io.out(JSON.stringify(metafile));
    return;
  }
  if (options.timing === true) io.err(timing(metafile));
  const seconds = Object.values(metafile.stages).reduce((sum, ms) => sum + ms, 0) / 1000;
  io.out(
    `${options.output}: ${metafile.blocks} blocks, ${metafile.kernels} kernels, model.wasm ${bytes(metafile.wasmBytes)}, ` +
      `weights ${bytes(metafile.weightBytes)}, memory ${bytes(metafile.memoryBytes)}, in ${seconds.toFixed(1)} s`,
  );
}

/** The passes as a table: time, and what they did to the number of operations. */
export function timing({ passes, stages }: Pick<Metafile, 'passes' | 'stages'>): string {
  const rows = passes.map(({ n, name, changed, milliseconds, before, after }) => [
    String(n),
    name,
    `${milliseconds.toFixed(1)} ms`,
    changed ? `${before.ops} → ${after.ops} ops` : 'no change',
  ]);
  const others = Object.entries(stages).map(([stage, ms]) => ['', stage, `${ms.toFixed(1)} ms`, '']);
  return table(['', 'pass', 'time', 'effect'], [...rows, ...others]);
}

function write(path: string, text: string): void {
  written(path, () => {
    writeFileSync(path, text);
  });
}

function written(path: string, operation: () => void): void {
  try {
    operation();
  } catch (error) {
    fail('RC1003', `it could not be written: ${error instanceof Error ? error.message : String(error)}`, {
      place: { file: path },
      help: 'choose a place that you may write to',
    });
  }
}
