/**
 * @file Ctrl-C and SIGTERM, taken over only where something must be cleaned up. Until then each ends the process at once,
 * also in the middle of a long computation, which sees no abort signal.
 */

/** As shells count: 128 and the number of the signal. */
const exitCodeOf = { SIGINT: 130, SIGTERM: 143 } as const;

export interface Interrupts {
  /** Takes both over, the first time that it is called. A second signal ends the process all the same. */
  readonly signal: () => AbortSignal;
  /** The exit code that the signal which came asks for. */
  readonly exitCode: () => number | undefined;
}

export function createInterrupts(): Interrupts {
  let controller: AbortController | undefined;
  let code: number | undefined;
  const take = (): AbortController => {
    const taken = new AbortController();
    const handlers = (['SIGINT', 'SIGTERM'] as const).map((name) => {
      const handler = (): void => {
        for (const remove of handlers) remove();
        code = exitCodeOf[name];
        taken.abort();
      };
      process.on(name, handler);
      return () => process.off(name, handler);
    });
    return taken;
  };
  return { signal: () => (controller ??= take()).signal, exitCode: () => code };
}
