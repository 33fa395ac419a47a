/** @file The list of commands, and how their ends become exit codes. */
import { Command, CommanderError } from 'commander';
import { RadialError } from '../../ir/diagnostics/diagnostic.ts';
import type { Diagnostic } from '../../ir/diagnostics/diagnostic.ts';
import { RadialRuntimeError } from '../../runtime/artifact/index.ts';
import { benchCommand } from './commands/bench.ts';
import { compileCommand } from './commands/compile.ts';
import { evalCommand } from './commands/eval.ts';
import { explainCommand } from './commands/explain.ts';
import { forwardCommand } from './commands/forward.ts';
import { initCommand } from './commands/init.ts';
import { inspectCommand } from './commands/inspect.ts';
import { mergeCommand } from './commands/merge.ts';
import { optCommand } from './commands/opt.ts';
import { oracleCommand } from './commands/oracle.ts';
import { profileCommand } from './commands/profile.ts';
import { runCommand } from './commands/run.ts';
import { studyCommand } from './commands/study.ts';
import { sweepCommand } from './commands/sweep.ts';
import { targetsCommand } from './commands/targets.ts';
import { trainCommand } from './commands/train.ts';
import { verifyCommand } from './commands/verify.ts';
import { visible } from './format.ts';
import { exitCodes, printDiagnostics } from './io.ts';
import type { Io } from './io.ts';
import { packageVersion } from '../package-info.ts';

/** In the order of `--help`. */
const commands: readonly ((io: Io) => Command)[] = [
  compileCommand,
  runCommand,
  forwardCommand,
  verifyCommand,
  inspectCommand,
  benchCommand,
  evalCommand,
  profileCommand,
  mergeCommand,
  oracleCommand,
  studyCommand,
  sweepCommand,
  trainCommand,
  optCommand,
  initCommand,
  targetsCommand,
  explainCommand,
];

const overview = `
Examples:
  $ radialc compile ./opt-125m -o ./opt-125m.radial
  $ radialc run ./opt-125m.radial --prompt "The state of our union" -n 64
  $ radialc compile ./opt-125m -o ./routed --route external --kv project
  $ radialc inspect ./opt-125m

Every command has --help with examples. Exit codes: 0 done, 1 diagnostics, 2 usage, 70 a bug of radialc,
130 interrupted (Ctrl-C), 143 terminated.`;

/** Runs one command line (without node and script) and gives the exit code. */
export async function runCli(args: readonly string[], io: Io): Promise<number> {
  const program = new Command('radialc')
    .description('Compiles transformers ahead of time into small programs in which each token chooses its own path.')
    .version(packageVersion())
    .addHelpText('after', overview)
    .showSuggestionAfterError();
  for (const make of commands) program.addCommand(make(io));
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({
      writeOut: io.write,
      writeErr: (text) => {
        io.err(visible(text.trimEnd()));
      },
    });
  }
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCodes.ok;
  } catch (error) {
    return exitCodeFor(error, io, args);
  }
}

function exitCodeFor(error: unknown, io: Io, args: readonly string[]): number {
  if (error instanceof CommanderError) {
    // Commander has already printed the help or what was wrong with the usage.
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  }
  const interrupted = io.interrupted();
  // What went wrong while something was cleaned up or saved is told like any other error.
  if (interrupted !== undefined && error instanceof Error && error.name === 'AbortError') {
    io.err('interrupted; nothing was left half-written');
    return interrupted;
  }
  const diagnostics = diagnosticsOf(error);
  if (diagnostics !== undefined) {
    printDiagnostics(io, diagnostics);
    if (wantsJson(args)) io.out(visible(JSON.stringify({ diagnostics })));
    return exitCodes.diagnostics;
  }
  io.err(`internal error, a bug of radialc: ${visible(error instanceof Error ? error.message : String(error))}`);
  if (process.env['RADIALC_DEBUG'] !== undefined && error instanceof Error) io.err(error.stack ?? '');
  else io.err('Set RADIALC_DEBUG=1 to see where, and please report it with the command line.');
  return exitCodes.internal;
}

function diagnosticsOf(error: unknown): readonly Diagnostic[] | undefined {
  if (error instanceof RadialError || error instanceof RadialRuntimeError) return error.diagnostics;
  return undefined;
}

function wantsJson(args: readonly string[]): boolean {
  return args.some((arg, i) => arg === '--format=json' || (arg === '--format' && args[i + 1] === 'json'));
}
