/** @file Artifacts on a web server, in browsers and in Node. */
import { fail } from './artifact/errors.ts';
import { MANIFEST_FILE } from './artifact/manifest.ts';
import { looksLikeHtml, wrongLength } from './files.ts';
import type { ArtifactFiles } from './files.ts';

export interface AddressOptions {
  readonly fetch: typeof fetch;
  readonly allowRedirects: boolean;
  readonly signal: AbortSignal | undefined;
}

/** What the server answers to the request for a file. */
interface Body {
  readonly url: string;
  /** Bytes that the server announces; undefined when it does not, or sends them compressed. */
  readonly announced: number | undefined;
  /** The bytes; whoever leaves them early ends the transfer. */
  readonly chunks: AsyncGenerator<Uint8Array, void>;
  /** Ends a transfer of which nothing was taken. */
  readonly cancel: () => Promise<void>;
}

/** @param base - address of the folder, ends in `/` */
export function addressFiles(base: URL, options: AddressOptions): ArtifactFiles {
  const open = async (file: string): Promise<Body> => {
    const url = new URL(file, base).href;
    return bodyOf(await request(url, file, options), url, options.signal);
  };
  return {
    where: base.href.replace(/\/$/, ''),
    local: false,
    readInto: async (file, into) => {
      const { url, announced, chunks, cancel } = await open(file);
      if (announced !== undefined && announced !== into.byteLength) {
        await cancel();
        wrongLength(url, String(announced), into.byteLength);
      }
      let done = 0;
      for await (const chunk of chunks) {
        if (done + chunk.byteLength > into.byteLength) {
          wrongLength(url, `more than ${into.byteLength}`, into.byteLength);
        }
        into.set(chunk, done);
        done += chunk.byteLength;
      }
      if (done < into.byteLength) wrongLength(url, String(done), into.byteLength);
    },
    readAll: async (file, most) => {
      const { url, chunks } = await open(file);
      const parts: Uint8Array[] = [];
      let size = 0;
      for await (const chunk of chunks) {
        size += chunk.byteLength;
        if (size > most) {
          fail('RC0807', `the file has more than ${most} bytes`, {
            place: { file: url },
            help: 'give the address of the folder that radialc compile wrote',
          });
        }
        parts.push(chunk);
      }
      const bytes = new Uint8Array(size);
      let at = 0;
      for (const part of parts) {
        bytes.set(part, at);
        at += part.byteLength;
      }
      return bytes;
    },
  };
}

async function request(
  url: string,
  file: string,
  { fetch, allowRedirects, signal }: AddressOptions,
): Promise<Response> {
  const place = { file: url };
  const response = await answer(fetch, url, signal);
  const origin = response.url === '' ? new URL(url).origin : new URL(response.url).origin;
  if (!allowRedirects && origin !== new URL(url).origin) {
    await response.body?.cancel();
    fail('RC0811', `the server sent the request on to ${origin}`, {
      place,
      help: 'give that address, or allowRedirects: true',
    });
  }
  if (response.status !== 200) {
    await response.body?.cancel();
    const missing = response.status === 404 || response.status === 410;
    const code = !missing ? 'RC0809' : file === MANIFEST_FILE ? 'RC0801' : 'RC0806';
    fail(code, missing ? 'the server does not have this file' : `the server answered with status ${response.status}`, {
      place,
      help:
        file === MANIFEST_FILE
          ? 'give the address of the folder that radialc compile wrote'
          : 'copy all files of the artifact to the server',
    });
  }
  if (response.headers.get('content-type')?.startsWith('text/html') === true) {
    await response.body?.cancel();
    fail('RC0810', 'a web page came instead of the file', {
      place,
      help: 'copy all files of the artifact to the server',
    });
  }
  return response;
}

/** The response; a `fetch` of the caller may throw, or give anything. */
async function answer(fetch: AddressOptions['fetch'], url: string, signal: AbortSignal | undefined): Promise<Response> {
  let response: unknown;
  try {
    response = await fetch(url, signal === undefined ? {} : { signal });
  } catch (error) {
    return broken(url, error, signal);
  }
  if (isResponse(response)) return response;
  return fail('RC0809', 'the function fetch gave no response', {
    place: { file: url },
    help: 'let the option fetch return what the global fetch returns: a Response with a stream of bytes',
  });
}

/** Whether it has what is used here; it need not be of the global class. */
function isResponse(value: unknown): value is Response {
  if (typeof value !== 'object' || value === null) return false;
  const { status, url, headers, body } = value as Partial<Record<string, unknown>>;
  const has = (object: unknown, name: string): boolean =>
    typeof object === 'object' && object !== null && typeof Reflect.get(object, name) === 'function';
  const known = typeof status === 'number' && typeof url === 'string' && has(headers, 'get');
  return known && (body === null || has(body, 'getReader'));
}

function bodyOf(response: Response, url: string, signal: AbortSignal | undefined): Body {
  const header = response.headers.get('content-length');
  const plain = response.headers.get('content-encoding') === null;
  const announced = plain && header !== null && /^\d+$/.test(header) ? Number(header) : undefined;
  const cancel = async (): Promise<void> => {
    // The error that the caller has found is the one that counts.
    await response.body?.cancel().catch(() => undefined);
  };
  return { url, announced, chunks: chunksOf(response, url, signal), cancel };
}

async function* chunksOf(
  response: Response,
  url: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  let first = true;
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => broken(url, error, signal));
      if (done) return;
      if (first && looksLikeHtml(value)) {
        fail('RC0810', 'a web page came instead of the file', {
          place: { file: url },
          help: 'copy all files of the artifact to the server',
        });
      }
      first = false;
      yield value;
    }
  } finally {
    // Ends the transfer where the reading ended early; the error that ended it is the one that counts.
    await reader.cancel().catch(() => undefined);
  }
}

function broken(url: string, error: unknown, signal: AbortSignal | undefined): never {
  signal?.throwIfAborted();
  const reason = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
  return fail('RC0809', `the transfer failed: ${reason}`, {
    place: { file: url },
    help: 'check the address and the network; a page needs the server to allow its origin (CORS)',
    cause: error,
  });
}
