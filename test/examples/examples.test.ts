/** @file Each example runs as its header says, and prints what it promises. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { load } from '../../runtime/index.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const node = ['--import', 'ts-blank-space/register'];

function run(script: string, ...args: readonly string[]): string {
  const command = [...node, script, ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd: root, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout;
}

/** The address that the server prints when it is ready. */
async function addressOf(server: ChildProcess): Promise<string> {
  let printed = '';
  for await (const piece of server.stdout ?? []) {
    printed += String(piece);
    const [address] = /http:\S+/.exec(printed) ?? [];
    if (address !== undefined) return address;
  }
  throw new Error(`the server ended after printing ${JSON.stringify(printed)}`);
}

describe('examples', function () {
  this.timeout(120_000);

  it('demo: compiles the bundled model with and without gates, and writes with both', () => {
    const text = run('examples/demo/demo.ts');
    assert.match(text, /fuse-router +[\d.]+ ms +\d+ → \d+ operations/);
    assert.match(text, /mean depth 24\.0 of 24 blocks/);
    assert.match(text, /dense +24\.0 of 24 blocks +[\d.]+ ms a token +\d+ tokens\/s +perplexity [\d.]+/);
    const [, depth] = /with gates +([\d.]+) of 24 blocks/.exec(text) ?? [];
    assert.ok(Number(depth) > 10 && Number(depth) < 20, depth);
  });

  it('hand-written: walks the loop', () => {
    assert.match(run('examples/hand-written/run.ts'), /token 1: walk 0 → 1 → 0 → 1, depth 4/);
  });

  it('skip-blocks: compares the KV policies', () => {
    const text = run('examples/skip-blocks/skip.ts');
    for (const kv of ['absent', 'project', 'latest']) {
      assert.match(text, new RegExp(`kv ${kv}: \\d+ tokens, 24 blocks`));
    }
    assert.match(text, /mean depth 16\.\d: \d+ % same next token/);
  });

  it('sotu-radial: profiles the bundled model', () => {
    const dir = mkdtempSync(join(tmpdir(), 'radialc-example-'));
    try {
      mkdirSync(join(dir, 'sample'));
      writeFileSync(
        join(dir, 'sample', 'union.txt'),
        'To the Congress of the United States, on the state of the Union.\n',
      );
      const out = join(dir, 'profiles.json');
      const text = run('examples/sotu-radial/profiles.ts', '--texts', dir, '-o', out);
      assert.match(text, /^\| \^22 \|(?: \d+\.\d{3} \|){7}$/m);
      assert.match(text, /^sotu-opt: 24 blocks, \d+ tokens$/m);
      const [model] = JSON.parse(readFileSync(out, 'utf8')) as readonly { readonly blocks: readonly object[] }[];
      assert.deepEqual(Object.keys(model?.blocks[0] ?? {}), ['id', 'role', 'input', 'output', 'absent']);
      assert.equal(Object.keys(model?.blocks[2] ?? {}).length, 9);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  it('web-page: serves the page and a program that loads over http', async () => {
    const server = spawn(process.execPath, [...node, 'examples/web-page/serve.ts'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const address = await addressOf(server);
      assert.match(await (await fetch(address)).text(), /A transformer in this page/);
      const model = await load(new URL('program/', address));
      const depths: number[] = [];
      for await (const { depth } of model.generate('The', { maxNewTokens: 4, route: () => [0, 1, 2] })) {
        depths.push(depth);
      }
      assert.deepEqual(depths, [3, 3, 3, 3]);
      model.dispose();
    } finally {
      server.kill('SIGINT');
    }
  });
});
