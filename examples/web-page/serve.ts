/**
 * @file Compiles a checkpoint with conditional edges and serves a page that runs it, on 127.0.0.1.
 *
 *     npm run example -- examples/web-page/serve.ts [CHECKPOINT]
 */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile } from '../../compiler/index.ts';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

/** Serves the page, and the compiled program under /program/. */
function serve(program: string): Server {
  const page = fileURLToPath(new URL('.', import.meta.url));
  return createServer((request, response) => {
    try {
      // Throws for a badly escaped path.
      const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname));
      const file = path.startsWith('/program/')
        ? join(program, path.slice('/program/'.length))
        : join(page, path === '/' ? 'index.html' : path);
      const bytes = readFileSync(file);
      response.writeHead(200, {
        'content-type': types[extname(file)] ?? 'application/octet-stream',
        'content-length': bytes.byteLength,
      });
      response.end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
}

const checkpoint = process.argv[2] ?? fileURLToPath(new URL('../sotu-opt/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'radialc-page-'));
const program = join(folder, 'program');
await compile({ input: checkpoint, route: 'external', kv: 'project' }, { outDir: program });
const server = serve(program);
server.listen(Number(process.env['PORT'] ?? 0), '127.0.0.1', () => {
  const address = server.address();
  console.log(`http://127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}/ (Ctrl-C ends)`);
});
process.once('SIGINT', () => {
  server.close();
  server.closeAllConnections();
  rmSync(folder, { recursive: true, force: true });
});
