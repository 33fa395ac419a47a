/** @file Loading over http, from servers that behave and servers that do not. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { inspect, load } from '../../runtime/index.ts';
import { chunkOf, expected, firstIds } from './loading.ts';
import { hasCode, withFolder, withToy } from './toy.ts';

type Handler = (request: IncomingMessage, response: ServerResponse, path: string) => boolean;

/** Serves a folder; `handle` may answer instead. */
async function withServer(folder: string, handle: Handler, use: (address: string) => Promise<void>): Promise<void> {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
    if (handle(request, response, path)) return;
    try {
      const bytes = readFileSync(join(folder, path));
      response.setHeader('content-type', path.endsWith('.json') ? 'application/json' : 'application/octet-stream');
      response.end(bytes);
    } catch {
      response.statusCode = 404;
      response.end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

const plainly: Handler = () => false;

describe('load from an address', () => {
  it('takes the folder with and without a slash, and the manifest', () =>
    withToy({}, (folder) =>
      withServer(join(folder, '..'), plainly, async (address) => {
        for (const source of [
          `${address}/toy`,
          `${address}/toy/`,
          `${address}/toy/manifest.json`,
          new URL(`${address}/toy`),
        ]) {
          assert.deepEqual(await firstIds(await load(source)), expected);
        }
        assert.equal((await inspect(`${address}/toy`)).program.name, 'toy');
      }),
    ));

  it('uses the fetch that it is given, with the signal', () =>
    withToy({}, (folder) =>
      withServer(folder, plainly, async (address) => {
        const asked: string[] = [];
        const controller = new AbortController();
        const counting: typeof fetch = (input, init) => {
          assert.equal(init?.signal, controller.signal);
          asked.push(new URL(input instanceof Request ? input.url : input).pathname);
          return fetch(input, init);
        };
        await load(address, { fetch: counting, signal: controller.signal });
        const chunk = chunkOf(folder).slice(folder.length);
        assert.deepEqual(asked, ['/manifest.json', '/model.wasm', '/tokenizer.json', '/tokenizer_config.json', chunk]);
      }),
    ));

  it('takes files that come compressed, in pieces, or without a length', () =>
    withToy({}, (folder) =>
      withServer(
        folder,
        (_, response, path) => {
          const bytes = readFileSync(join(folder, path));
          for (let at = 0; at < bytes.byteLength; at += 1000) response.write(bytes.subarray(at, at + 1000));
          response.end();
          return true;
        },
        async (address) => assert.deepEqual(await firstIds(await load(address)), expected),
      ),
    ));

  /** What a server can answer instead of a weight chunk, and what must come of it. */
  const answers: readonly (readonly [string, string, (response: ServerResponse, bytes: Buffer) => void])[] = [
    ['not there', 'RC0806', (response) => response.writeHead(404).end()],
    ['an error', 'RC0809', (response) => response.writeHead(500).end()],
    ['a part', 'RC0809', (response, bytes) => response.writeHead(206).end(bytes)],
    ['nothing', 'RC0809', (response) => response.writeHead(204).end()],
    [
      'a page',
      'RC0810',
      (response) => response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<p>'),
    ],
    ['a page of another type', 'RC0810', (response) => response.writeHead(200).end('<!doctype html><title>x</title>')],
    ['a page of the right length', 'RC0810', (response, bytes) => response.end('<html>'.padEnd(bytes.byteLength))],
    ['too few bytes', 'RC0807', (response, bytes) => response.end(bytes.subarray(1))],
    ['too many bytes', 'RC0807', (response, bytes) => response.end(Buffer.concat([bytes, bytes]))],
    [
      'too few bytes, without a length',
      'RC0807',
      (response, bytes) => void (response.write(bytes.subarray(4)), response.end()),
    ],
    [
      'too many bytes, without a length',
      'RC0807',
      (response, bytes) => void (response.write(bytes), response.end('x')),
    ],
    ['other bytes', 'RC0808', (response, bytes) => response.end(Buffer.from(bytes).fill(1, 7, 8))],
    [
      'less than announced',
      'RC0809',
      (response, bytes) => {
        response.writeHead(200, { 'content-length': bytes.byteLength });
        response.write(bytes.subarray(0, 8), () => response.destroy());
      },
    ],
    ['endless bytes', 'RC0807', (response) => pour(response)],
  ];

  for (const [what, code, answer] of answers) {
    it(`refuses ${what} instead of a file`, () =>
      withToy({}, async (folder) => {
        const handle: Handler = (_, response, path) => {
          if (!path.startsWith('/weights/')) return false;
          answer(response, readFileSync(join(folder, path)));
          return true;
        };
        await withServer(folder, handle, (address) => assert.rejects(load(address), hasCode(code)));
      }));
  }

  it('refuses redirects to other origins unless they are allowed', () =>
    withToy({}, (folder) =>
      withServer(folder, plainly, (other) =>
        withServer(
          folder,
          (_, response, path) => {
            if (path === '/manifest.json') return false;
            response.writeHead(302, { location: `${other}${path}` }).end();
            return true;
          },
          async (address) => {
            await assert.rejects(load(address), hasCode('RC0811', new RegExp(other)));
            assert.deepEqual(await firstIds(await load(address, { allowRedirects: true })), expected);
          },
        ),
      ),
    ));

  it('follows redirects within the origin', () =>
    withToy({}, (folder) =>
      withServer(
        folder,
        (_, response, path) => {
          if (!path.startsWith('/old/')) return false;
          response.writeHead(301, { location: path.slice(4) }).end();
          return true;
        },
        async (address) => assert.deepEqual(await firstIds(await load(`${address}/old`)), expected),
      ),
    ));

  it('says when there is no artifact, or no server', () =>
    withFolder(async (folder) => {
      let gone = '';
      await withServer(folder, plainly, async (address) => {
        gone = address;
        await assert.rejects(load(address), hasCode('RC0801'));
      });
      await assert.rejects(load(gone), hasCode('RC0809', /CORS/));
      const page: Handler = (_, response) => {
        response.end('<!doctype html>');
        return true;
      };
      await withServer(folder, page, (address) => assert.rejects(load(address), hasCode('RC0810')));
    }));

  it('takes nothing of a file whose announced length is another', () =>
    withToy({}, (folder) =>
      withServer(folder, plainly, async (address) => {
        let cancelled = false;
        const longer: typeof fetch = async (input, init) => {
          const response = await fetch(input, init);
          if (!response.url.includes('/weights/')) return response;
          await response.body?.cancel();
          const body = new ReadableStream({
            cancel: () => {
              cancelled = true;
              throw new Error('it has ended already');
            },
          });
          return new Response(body, { headers: { 'content-length': '1000000' } });
        };
        await assert.rejects(load(address, { fetch: longer }), hasCode('RC0807', /has 1000000 bytes, expected 64/));
        assert.ok(cancelled);
      }),
    ));

  it('tells of a fetch that gives no response', async () => {
    const bad: readonly (() => unknown)[] = [
      () => undefined,
      () => null,
      () => 'text',
      () => ({}),
      () => ({ status: 200, url: '', headers: new Headers(), body: 'text' }),
      () => {
        throw new TypeError('not today');
      },
    ];
    for (const give of bad) {
      await assert.rejects(load('http://localhost/toy', { fetch: give as typeof fetch }), hasCode('RC0809'));
    }
  });

  it('can be aborted while a file comes', () =>
    withToy({}, (folder) => {
      const controller = new AbortController();
      const handle: Handler = (_, response, path) => {
        if (!path.startsWith('/weights/')) return false;
        response.write('x', () => controller.abort());
        return true;
      };
      return withServer(folder, handle, (address) =>
        assert.rejects(load(address, { signal: controller.signal }), { name: 'AbortError' }),
      );
    }));
});

/** Writes until the other side has enough. */
function pour(response: ServerResponse): void {
  const block = Buffer.alloc(1 << 16);
  const more = (): void => {
    while (!response.destroyed && response.write(block)) continue;
  };
  response.on('drain', more);
  more();
}
