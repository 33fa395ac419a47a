/** @file The server of the web page example: what nobody would ask for, too. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { join } from 'node:path';
import { initCheckpoint } from '../../compiler/frontend/index.ts';
import { optConfig } from '../compiler/cli/support.ts';
import { withFolder } from './toy.ts';

/** The status of a path that no URL parser has made better. */
async function statusOf(port: string, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });
}

describe('the server of the web page', () => {
  it('survives paths that are none, and serves nothing beside its folders', () =>
    withFolder(async (folder) => {
      const checkpoint = join(folder, 'model');
      await initCheckpoint({ config: optConfig, seed: 1, outDir: checkpoint });
      const server = spawn(
        process.execPath,
        ['--import', 'ts-blank-space/register', 'examples/web-page/serve.ts', checkpoint],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      const ended = once(server, 'exit');
      try {
        const [printed] = (await once(server.stdout, 'data')) as readonly unknown[];
        const port = /:(\d+)\//.exec(String(printed))?.[1] ?? '';
        for (const path of ['/%', '/%ff', '//', '/%00', '/program/../../package.json', '/%2e%2e/%2e%2e/package.json']) {
          assert.equal(await statusOf(port, path), 404, path);
        }
        assert.equal(await statusOf(port, '/'), 200);
        assert.equal(await statusOf(port, '/program/manifest.json'), 200);
      } finally {
        server.kill('SIGINT');
        await ended;
      }
    }));
});
