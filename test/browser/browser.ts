/** @file Drives Chromium through its debugging pipe: no library, no port. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

/** The path of a Chromium, which is installed if it must and can be; undefined where there is none. */
export function findChromium(): string | undefined {
  const script = fileURLToPath(new URL('../../scripts/chromium.mjs', import.meta.url));
  const { status, stdout } = spawnSync(process.execPath, [script], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

type Fields = Readonly<Record<string, unknown>>;

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Fields;
  readonly result?: Fields;
  readonly error?: { readonly message: string };
}

export interface Page {
  readonly send: (method: string, params?: Fields) => Promise<Fields>;
  /** What an expression gives. */
  readonly evaluate: (expression: string) => Promise<unknown>;
  /** All events so far. */
  readonly events: readonly { readonly method: string; readonly params: Fields }[];
  readonly close: () => Promise<void>;
}

/** Opens an empty page, 1100 pixels wide. */
export async function openPage(chromium: string): Promise<Page> {
  const profile = mkdtempSync(join(tmpdir(), 'radialc-chromium-'));
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--remote-debugging-pipe'];
  const child = spawn(chromium, [...flags, '--window-size=1100,900', `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<void>((resolve) => {
    child.on('close', () => {
      resolve();
    });
  });
  const [, , , input, output] = child.stdio as unknown as [null, null, null, Writable, Readable];
  const events: { method: string; params: Fields }[] = [];
  const waiting = new Map<number, (message: Message) => void>();
  let [rest, last] = ['', 0];
  output.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\0');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      const message = JSON.parse(part) as Message;
      if (message.id !== undefined) waiting.get(message.id)?.(message);
      else if (message.method !== undefined) events.push({ method: message.method, params: message.params ?? {} });
    }
  });
  const call = (method: string, params: Fields, sessionId?: string): Promise<Fields> =>
    new Promise((resolve, reject) => {
      const id = ++last;
      waiting.set(id, ({ result = {}, error }) => {
        waiting.delete(id);
        if (error === undefined) resolve(result);
        else reject(new Error(`${method}: ${error.message}`));
      });
      input.write(`${JSON.stringify({ id, method, params, ...(sessionId !== undefined && { sessionId }) })}\0`);
    });
  const { targetId } = await call('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await call('Target.attachToTarget', { targetId, flatten: true });
  const send: Page['send'] = (method, params = {}) => call(method, params, String(sessionId));
  for (const domain of ['Page', 'Network', 'Runtime', 'Log']) await send(`${domain}.enable`);
  return {
    send,
    events,
    evaluate: async (expression) => {
      const { result, exceptionDetails } = await send('Runtime.evaluate', { expression, returnByValue: true });
      if (exceptionDetails !== undefined) throw new Error(`in the page: ${JSON.stringify(exceptionDetails)}`);
      return (result as Fields)['value'];
    },
    close: async () => {
      await call('Browser.close', {});
      await ended;
      rmSync(profile, { recursive: true, force: true });
    },
  };
}
