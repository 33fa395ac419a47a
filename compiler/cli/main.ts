#!/usr/bin/env node
/** @file The `radialc` command: parses arguments, runs a command, and turns what happened into an exit code. */
import { createIo, exitCodes, printDiagnostics } from './io.ts';
import { runCli } from './program.ts';

const io = createIo();

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Nobody reads on, as in `radialc … | head`.
  if (error.code === 'EPIPE') process.exit(exitCodes.ok);
  const message = `standard output could not be written: ${error.message}`;
  const help = error.code === 'ENOSPC' ? 'make room on the disk' : 'send the output to a place that takes it';
  printDiagnostics(io, [{ code: 'RC1003', severity: 'error', message, place: { file: 'stdout' }, help }]);
  process.exit(exitCodes.diagnostics);
});
// There is nowhere left to tell of it; the exit code still counts.
process.stderr.on('error', () => undefined);

process.exitCode = await runCli(process.argv.slice(2), io);
