/** @file `radialc compile`: a checkpoint or IR text to a program on disk. */
import { closeSync, openSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import { Command, Option } from 'commander';
import { fail } from '../../../ir/index.ts';
import { passesNamed } from '../../../passes/index.ts';
import type { ManagerOptions, Traffic } from '../../../passes/index.ts';
import { compile } from '../../build.ts';
import type { Compiled, Metafile } from '../../build.ts';
import { makeFolders } from '../../frontend/files.ts';
import { bytes, table } from '../format.ts';
import type { Io } from '../io.ts';
import { buildRequest, refuseTextOptions } from '../model.ts';
import { addBuildOptions, folderName, formatOption, routesOption } from '../options.ts';
import type { BuildOptions, FormatOptions } from '../options.ts';
import { readTraffic } from '../route-file.ts';

interface CompileCommandOptions extends FormatOptions, BuildOptions {
  readonly output: string;
  readonly target: string;
  readonly dumpPhasesTo?: string;
  readonly printIrAfter?: readonly string[];
  readonly compileFrom?: string;
  readonly timing?: boolean;
  readonly metafile?: string;
  readonly counters?: boolean;
  readonly routes?: string;
}

export function compileCommand(io: Io): Command {
  const command = new Command('compile')
    .alias('build')
    .description('compile a checkpoint folder, or IR text, to a program that runs by itself')
    .argument('<input>', 'a folder with config.json and model.safetensors, or a .rir file')
    .requiredOption('-o, --output <dir>', 'the folder to make; a program that is there is replaced', folderName)
    .option('--target <target>', 'see `radialc targets`', 'wasm-simd');
  return addBuildOptions(command)
    .addOption(routesOption('recorded routes: blocks that mostly follow one another become a straight line'))
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
        '  $ radialc compile ./gated -o ./out --routes routes.jsonl\n' +
        '  $ radialc compile ./opt-125m -o ./out --dtype q8\n' +
        '  $ radialc compile ./phases/13.fuse-norm.rir --compile-from fuse-norm --weights ./opt-125m -o ./out',
    )
    .action(async (input: string, options: CompileCommandOptions) => {
      refuseTextOptions(input, { '--compile-from': options.compileFrom });
      checkPlaces(options);
      const progress = io.progress('weights');
      try {
        const request = {
          ...buildRequest(input, options),
          target: options.target,
          counters: options.counters,
          traffic: trafficFor(options),
          manager: managerOptions(options, io),
          // Asked for when the passes are done: before that, there is nothing to clean up.
          get signal() {
            return io.signal;
          },
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

/** @throws RadialError RC1015, RC1017 (at a level that does not use them) */
function trafficFor({
  routes,
  optLevel = 'O2',
}: Pick<CompileCommandOptions, 'routes' | 'optLevel'>): Traffic | undefined {
  if (routes === undefined) return undefined;
  if (optLevel !== 'O2') {
    fail('RC1017', `--routes says nothing to -${optLevel}`, { place: { file: routes }, help: 'leave out one of them' });
  }
  return readTraffic(routes).traffic;
}

/** @throws RadialError RC1013 where the folder of the program would hold something else, or lose it when replaced */
function checkPlaces({ output, metafile, dumpPhasesTo }: CompileCommandOptions): void {
  for (const [flag, path] of Object.entries({ '--metafile': metafile, '--dump-phases-to': dumpPhasesTo })) {
    if (path === undefined || !isWithin(output, path)) continue;
    fail('RC1013', `${flag} leads into the folder of the program, ${JSON.stringify(output)}`, {
      place: { file: path },
      help: `choose a place outside of it for ${flag}`,
    });
  }
}

function isWithin(folder: string, path: string): boolean {
  const way = relative(resolve(folder), resolve(path));
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

function managerOptions(options: CompileCommandOptions, io: Io): Omit<ManagerOptions, 'options'> {
  const { dumpPhasesTo: dir, compileFrom, printIrAfter, metafile } = options;
  if (dir !== undefined) {
    written(dir, () => {
      makeFolders(dir);
    });
  }
  if (metafile !== undefined) written(metafile, () => tryToWrite(metafile));
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

/** Finds out before the work whether a file can be written; pipes and devices tell only when they are. */
function tryToWrite(path: string): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats !== undefined && !stats.isFile() && !stats.isDirectory()) return;
  closeSync(openSync(path, 'a'));
  if (stats === undefined) rmSync(path);
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
