/** @file The built runtime, alone in an artifact, in Node and without Node's modules. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { writeArtifact } from '../../compiler/artifact/index.ts';
import { toyContents, withFolder } from './toy.ts';

const bundle = fileURLToPath(new URL('../../dist/runtime-bundle/', import.meta.url));
const built = existsSync(join(bundle, 'tokenizer.js'));

/** What a script prints, in a Node of its own. */
async function outputOf(script: string): Promise<string> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  for await (const part of child.stdout.setEncoding('utf8')) text += String(part);
  return text;
}

const run = `
  let text = '';
  for await (const token of model.generate('1', { maxNewTokens: 4 })) text += token.text;
  console.log(text);`;

async function withArtifact(use: (folder: string) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    await writeArtifact(toyContents(), folder);
    await use(folder);
  });
}

describe('the runtime in an artifact', () => {
  before(function () {
    if (!built) this.skip();
  });

  it('is small', () => {
    assert.ok(gzipSync(readFileSync(join(bundle, 'index.js'))).byteLength <= 25 * 1024);
  });

  it('keeps the tokenizer library apart, and imports nothing else', () => {
    const imports = readFileSync(join(bundle, 'index.js'), 'utf8').match(/\bimport\s*\(?\s*["'][^"']+["']/g) ?? [];
    assert.deepEqual(
      imports.map((text) => text.replace(/^import\s*\(?\s*/, '')),
      ['"./tokenizer.js"'],
    );
    assert.doesNotMatch(readFileSync(join(bundle, 'index.js'), 'utf8'), /\beval\(|new Function|from\s*["']node:/);
  });

  it('loads the artifact beside it', () =>
    withArtifact(async (folder) => {
      const script = `import { load } from ${JSON.stringify(pathToFileURL(join(folder, 'index.js')).href)}; const model = await load(); ${run}`;
      assert.equal(await outputOf(script), '1248\n');
    }));

  it('loads by addresses relative to a page where there is no Node', () =>
    withArtifact(async (folder) => {
      const server = createServer((request, response) =>
        response.end(readFileSync(join(folder, (request.url ?? '').replace('/models/toy', '')))),
      );
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const script = `
        process.getBuiltinModule = undefined;
        globalThis.setImmediate = undefined;
        globalThis.location = { href: '${address}/pages/index.html' };
        const { load } = await import(${JSON.stringify(pathToFileURL(join(folder, 'index.js')).href)});
        const model = await load('../models/toy');
        ${run}
        try { await load('file:///models/toy'); } catch (error) { console.log(error.name, error.code); }
        Object.defineProperty(globalThis, 'crypto', { value: {} });
        try { await load('../models/toy'); } catch (error) { console.log(error.name, error.code, error.diagnostics.length); }
        process.exit();`;
      try {
        assert.equal(await outputOf(script), '1248\nRadialError RC0817\nRadialError RC0816 1\n');
      } finally {
        await new Promise((resolve) => server.close(resolve));
      }
    }));
});
