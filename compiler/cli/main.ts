#!/usr/bin/env node
/** @file The `radialc` command: parses arguments, runs a command, and turns what happened into an exit code. */
import { createIo } from './io.ts';
import { runCli } from './program.ts';

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const interrupt = new AbortController();
process.once('SIGINT', () => {
  interrupt.abort();
});
process.once('SIGTERM', () => {
  interrupt.abort();
});

process.exitCode = await runCli(process.argv.slice(2), createIo(interrupt.signal));
