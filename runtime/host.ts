/** @file What Node and browsers do differently. Nothing is imported, so that bundlers have nothing to resolve. */
import type * as fs from 'node:fs';
import type * as promises from 'node:fs/promises';
import type * as path from 'node:path';
import type * as url from 'node:url';
import { fail } from './artifact/errors.ts';

/** The parts of Node that the runtime uses. */
export interface NodeModules {
  readonly fs: typeof promises;
  readonly constants: typeof fs.constants;
  readonly path: typeof path;
  readonly url: typeof url;
}

interface Host {
  readonly process?: { readonly getBuiltinModule?: (name: string) => unknown };
  readonly crypto?: { readonly subtle?: SubtleCrypto };
  readonly setImmediate?: (callback: () => void) => void;
  readonly document?: { readonly baseURI: string };
  readonly location?: { readonly href: string };
}

const host: Host = globalThis;

/** Undefined in browsers. */
export function nodeModules(): NodeModules | undefined {
  const get = host.process?.getBuiltinModule;
  if (get === undefined) return undefined;
  return {
    fs: get('node:fs/promises') as NodeModules['fs'],
    constants: (get('node:fs') as { readonly constants: NodeModules['constants'] }).constants,
    path: get('node:path') as NodeModules['path'],
    url: get('node:url') as NodeModules['url'],
  };
}

/** What a page's relative addresses are relative to. */
export function pageAddress(): string | undefined {
  return host.document?.baseURI ?? host.location?.href;
}

/** In lower-case hexadecimal. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  const subtle = host.crypto?.subtle;
  if (subtle === undefined) {
    return fail('RC0816', 'this page has no way to check hashes', { help: 'serve it over https, or from localhost' });
  }
  const digest = new Uint8Array(await subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

let channel: MessageChannel | undefined;
const waiting: (() => void)[] = [];

/** Lets the event loop run: timers, input, an abort. */
export async function turn(signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    if (host.setImmediate !== undefined) host.setImmediate(resolve);
    else postTurn(resolve);
  });
  signal?.throwIfAborted();
}

/** Timers of browsers wait for at least 4 ms; messages do not. */
function postTurn(resolve: () => void): void {
  if (channel === undefined) {
    channel = new MessageChannel();
    channel.port1.onmessage = () => waiting.shift()?.();
  }
  waiting.push(resolve);
  channel.port2.postMessage(null);
}
