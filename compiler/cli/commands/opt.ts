/** @file `radialc opt`: runs passes on IR text. */
import { Command } from 'commander';
import { printModule } from '../../../ir/index.ts';
import { allPasses, passesNamed, pipelinePasses, pipelines, runPasses } from '../../../passes/index.ts';
import type { OptimisationLevel } from '../../../passes/index.ts';
import { openInput } from '../../input.ts';
import { passRoute } from '../../route.ts';
import { findTarget } from '../../targets.ts';
import { table } from '../format.ts';
import type { Io } from '../io.ts';
import { refuseTextOptions } from '../model.ts';
import { addBuildOptions, routesOption } from '../options.ts';
import type { BuildOptions } from '../options.ts';
import { readTraffic } from '../route-file.ts';
import { printAfter, timing } from './compile.ts';

interface OptOptions extends BuildOptions {
  readonly passes?: string;
  readonly stopAfter?: string;
  readonly printAfter?: readonly string[];
  readonly routes?: string;
  readonly timing?: boolean;
  readonly listPasses?: boolean;
}

export function optCommand(io: Io): Command {
  const command = new Command('opt')
    .description('run passes on a module and print the result as text')
    .argument('[input]', 'a .rir file, or a checkpoint folder')
    .option('--passes <list>', 'names, with commas; default: those of the optimisation level')
    .addOption(routesOption('recorded routes, for form-traces'))
    .option('--stop-after <pass>', 'a pass of the list, by name or number')
    .option('--print-after <pass...>', 'print the module to stderr after these passes; `all` for every pass')
    .option('--timing', 'show how long each pass took')
    .option('--list-passes', 'list the passes and the levels');
  return addBuildOptions(command)
    .addHelpText(
      'after',
      '\nExamples:\n  $ radialc opt model.rir --passes fuse-qkv,canonicalise,fuse-norm\n  $ radialc opt ./opt-125m --stop-after lower\n  $ radialc opt --list-passes',
    )
    .action((path: string | undefined, options: OptOptions) => {
      if (options.listPasses === true) {
        listPasses(io);
        return;
      }
      if (path === undefined) command.error("error: missing required argument 'input'", { exitCode: 2 });
      else optimise(path, options, io);
    });
}

function optimise(path: string, options: OptOptions, io: Io): void {
  refuseTextOptions(path, { '--weights': options.weights });
  const input = openInput(path, { context: options.contextWindowSize, weights: options.weights });
  try {
    const passes =
      options.passes === undefined ? pipelinePasses(options.optLevel ?? 'O2') : passesNamed(options.passes.split(','));
    const { kv, revisit, maxHops, prefillChunkSize: chunk } = options;
    const { target, dtype } = findTarget(undefined, options.dtype);
    const route = options.route && passRoute(options.route, input.module, path);
    const stop = options.stopAfter;
    const traffic = options.routes === undefined ? undefined : readTraffic(options.routes).traffic;
    const { module, reports } = runPasses(input.module, passes, {
      options: { route, kv, revisit, maxHops, chunk, traffic, int8: dtype.int8, extraBuffers: target.buffers },
      ...(stop !== undefined && { stopAfter: /^\d+$/.test(stop) ? Number(stop) : stop }),
      ...(options.printAfter !== undefined && printAfter(options.printAfter, io)),
    });
    if (options.timing === true) io.err(timing({ passes: reports, stages: {} }));
    io.out(printModule(module).trimEnd());
  } finally {
    input.close();
  }
}

function listPasses(io: Io): void {
  io.out(
    table(
      ['pass', 'stage', 'what it does'],
      allPasses.map(({ name, stage, summary }) => [name, stage, summary]),
    ),
  );
  for (const [level, { summary }] of Object.entries(pipelines)) {
    const names = pipelinePasses(level as OptimisationLevel).map(({ name }) => name);
    io.out(`\n${level}: ${summary}\n  ${names.join(', ')}`);
  }
}
