/** @file The package as users get it: pinned dependencies, resolvable exports, an executable command, small files. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

interface PackageFile {
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

interface LockFile {
  readonly packages: Readonly<Record<string, LockEntry>>;
}

interface LockEntry {
  readonly integrity?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as PackageFile;

/** The largest loader that a page should have to fetch, in bytes after gzip. */
const LOADER_BUDGET = 25 * 1024;

/** The libraries that a fresh `node ...args` loads, found through V8's list of executed scripts. */
function librariesLoadedBy(args: readonly string[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'radialc-'));
  try {
    const env = { ...process.env, NODE_V8_COVERAGE: folder };
    const child = spawnSync(process.execPath, args, { cwd: root, env, encoding: 'utf8' });
    assert.equal(child.status, 0, child.stderr);
    const texts = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
    const names = texts.flatMap((text) => [...text.matchAll(/node_modules\/((?:@[^/"]+\/)?[^/"]+)\//g)]);
    return [...new Set(names.map((match) => match[1] ?? ''))];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('the package', () => {
  before(function () {
    this.timeout(120_000);
    const build = spawnSync(process.execPath, ['scripts/build.mjs'], { cwd: root, encoding: 'utf8' });
    assert.equal(build.status, 0, build.stdout + build.stderr);
  });

  it('pins every dependency to one version', () => {
    for (const [name, range] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
      assert.match(range, /^\d+\.\d+\.\d+$/, `${name} is not pinned`);
    }
  });

  // `npm install` drops what its registry lacks at the moment; `npm ci` then refuses the file everywhere else.
  it('has a complete lock file', () => {
    const { packages } = JSON.parse(readFileSync(`${root}package-lock.json`, 'utf8')) as LockFile;
    const installed = Object.keys(packages);
    for (const [path, entry] of Object.entries(packages)) {
      if (path !== '') assert.ok(entry.integrity !== undefined, `${path} has no hash`);
      for (const name of Object.keys(entry.optionalDependencies ?? {})) {
        const present = installed.some((other) => other.endsWith(`node_modules/${name}`));
        assert.ok(present, `${path} may need ${name}, which is not locked`);
      }
    }
  });

  it('exports files that exist', () => {
    for (const target of Object.values(manifest.exports)) {
      for (const path of typeof target === 'string' ? [target] : Object.values(target)) {
        assert.ok(existsSync(`${root}${path}`), `${path} is missing`);
      }
    }
  });

  it('can be imported by its own name', async () => {
    for (const name of Object.keys(manifest.exports).filter((key) => !key.endsWith('.json'))) {
      const specifier = `radialc${name.slice(1)}`;
      const names = Object.keys((await import(specifier)) as object);
      assert.ok(names.length > 0, `${specifier} exports nothing`);
    }
  });

  it('loads no library with the runtime', () => {
    assert.deepEqual(librariesLoadedBy(['--input-type=module', '-e', "await import('radialc/runtime')"]), []);
  });

  it('loads binaryen and tfjs only when they are needed', () => {
    for (const args of [
      ['--input-type=module', '-e', "await import('radialc')"],
      ['dist/compiler/cli/main.js', '--help'],
    ]) {
      const heavy = librariesLoadedBy(args).filter((name) => /^(binaryen|@tensorflow\/.*)$/.test(name));
      assert.deepEqual(heavy, [], args.join(' '));
    }
  });

  it('has commands that the system can start', () => {
    for (const path of Object.values(manifest.bin)) {
      assert.ok(readFileSync(`${root}${path}`, 'utf8').startsWith('#!/usr/bin/env node\n'), `${path} has no shebang`);
      assert.notEqual(statSync(`${root}${path}`).mode & 0o111, 0, `${path} is not executable`);
    }
  });

  it('has a licence file with the complete Apache License 2.0', () => {
    const text = readFileSync(`${root}LICENSE`, 'utf8');
    assert.match(text, /^\s+Apache License\n\s+Version 2\.0, January 2004\n/);
    assert.match(text, /APPENDIX: How to apply the Apache License to your work\./);
  });
});

describe('the runtime bundle', () => {
  const bundle = `${root}dist/runtime-bundle`;

  it('is at most 25 KB after gzip, without the tokenizer', () => {
    const size = gzipSync(readFileSync(`${bundle}/index.js`), { level: 9 }).length;
    assert.ok(size <= LOADER_BUDGET, `${size} bytes`);
  });

  it('imports nothing but Node modules and the tokenizer beside it', () => {
    const text = readFileSync(`${bundle}/index.js`, 'utf8');
    for (const match of text.matchAll(/\b(?:from|import)\s*\(?\s*["']([^"']+)["']/g)) {
      assert.match(match[1] ?? '', /^(node:.+|\.\/tokenizer\.js)$/);
    }
  });

  it('has types that stand alone', () => {
    const tsc = `${root}node_modules/typescript/bin/tsc`;
    const options = [
      '--noEmit',
      '--strict',
      '--target',
      'es2023',
      '--lib',
      'es2023,esnext.disposable,dom',
      '--ignoreConfig',
    ];
    const check = spawnSync(process.execPath, [tsc, ...options, `${bundle}/index.d.ts`], { encoding: 'utf8' });
    assert.equal(check.status, 0, check.stdout);
  });
});
