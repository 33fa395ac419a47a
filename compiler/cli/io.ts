/** @file What a command may do to the outside: print, report progress, be interrupted. */
import { readSync } from 'node:fs';
import { once } from 'node:events';
import { SingleBar } from 'cli-progress';
import { createColors } from 'picocolors';
import { fail, formatDiagnostic } from '../../ir/diagnostics/diagnostic.ts';
import type { Diagnostic } from '../../ir/diagnostics/diagnostic.ts';
import { visible } from './format.ts';
import { createInterrupts } from './interrupts.ts';

export type Format = 'text' | 'json';

export type Colors = ReturnType<typeof createColors>;

export interface Io {
  /** Text to stdout as it is. */
  readonly write: (text: string) => void;
  /** Waits until stdout has taken what was written. */
  readonly flush: () => Promise<void>;
  /** A line to stdout. */
  readonly out: (line: string) => void;
  /** A line to stderr. */
  readonly err: (line: string) => void;
  /** For what goes to stdout, and for what goes to stderr: either may be a file. */
  readonly colors: { readonly out: Colors; readonly err: Colors };
  /** All of stdin. @throws RadialError RC1003; RC0155 when it has more than `most` bytes */
  readonly stdin: (most: number) => Uint8Array;
  /**
   * Aborted by Ctrl-C and SIGTERM. Asking for it takes both over, so only what has something to clean up asks; otherwise
   * they end the process at once.
   */
  readonly signal: AbortSignal;
  /** The exit code that an interrupt asks for; undefined as long as none came. */
  readonly interrupted: () => number | undefined;
  readonly progress: (label: string) => Progress;
}

/** A bar on a terminal; nothing where stderr is no terminal. */
export interface Progress {
  update(done: number, total: number): void;
  stop(): void;
}

export const exitCodes = { ok: 0, diagnostics: 1, usage: 2, internal: 70 } as const;

export function createIo(): Io {
  const interrupts = createInterrupts();
  return {
    write: (text) => void process.stdout.write(text),
    flush: () => flush(process.stdout),
    out: (line) => void process.stdout.write(`${line}\n`),
    err: (line) => void process.stderr.write(`${line}\n`),
    colors: { out: colorsFor(process.stdout), err: colorsFor(process.stderr) },
    stdin: readStdin,
    get signal() {
      return interrupts.signal();
    },
    interrupted: interrupts.exitCode,
    progress: createProgress,
  };
}

async function flush(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.writableNeedDrain) await once(stream, 'drain');
}

function readStdin(most: number): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let size = 0; ;) {
    const part = new Uint8Array(1 << 16);
    const count = readPart(part);
    if (count === 0) return Buffer.concat(parts);
    size += count;
    if (size > most) {
      fail('RC0155', `standard input has more than the ${most} bytes that are read`, {
        place: { file: 'stdin' },
        help: 'give less at a time',
      });
    }
    parts.push(part.subarray(0, count));
  }
}

function readPart(into: Uint8Array): number {
  try {
    return readSync(0, into);
  } catch (error) {
    return fail(
      'RC1003',
      `standard input could not be read: ${error instanceof Error ? error.message : String(error)}`,
      {
        place: { file: 'stdin' },
        help: 'give a file or a pipe to standard input, or name a file',
      },
    );
  }
}

/** NO_COLOR (no-color.org) wins over FORCE_COLOR, and that over what the stream is. */
function colorsFor({ isTTY }: NodeJS.WriteStream): Colors {
  const isSet = (name: string): boolean => (process.env[name] ?? '') !== '';
  return createColors(!isSet('NO_COLOR') && (isTTY || isSet('FORCE_COLOR')));
}

function createProgress(label: string): Progress {
  if (!process.stderr.isTTY) return { update: () => undefined, stop: () => undefined };
  const bar = new SingleBar({
    format: `${label} [{bar}] {percentage}%  ETA {eta_formatted}`,
    clearOnComplete: true,
    // A signal may end the process while the bar is there.
    hideCursor: false,
    gracefulExit: false,
    stream: process.stderr,
  });
  let started = false;
  return {
    update: (done, total) => {
      if (started) bar.update(done);
      else bar.start(total, done);
      started = true;
    },
    stop: () => {
      bar.stop();
    },
  };
}

/** The diagnostics as people read them, their first words coloured. */
export function printDiagnostics(io: Io, diagnostics: readonly Diagnostic[]): void {
  for (const diagnostic of diagnostics) {
    const paint = diagnostic.severity === 'error' ? io.colors.err.red : io.colors.err.yellow;
    const [head = '', ...rest] = visible(formatDiagnostic(diagnostic)).split('\n');
    const label = `${diagnostic.severity}[${diagnostic.code}]`;
    io.err([io.colors.err.bold(paint(label)) + head.slice(label.length), ...rest].join('\n'));
  }
}
