/**
 * @file Builds `dist/`: the compiled layers, and the runtime bundle that goes into every artifact.
 *
 *     dist/{ir,passes,compiler,runtime}/   JavaScript, declarations, source maps
 *     dist/runtime-bundle/index.js         the runtime as one file, for Node and browsers
 *     dist/runtime-bundle/tokenizer.js     the tokenizer library, loaded only by programs that have a vocabulary
 *     dist/runtime-bundle/index.d.ts       the types of index.js, in one file
 *
 * Does nothing when `dist/` was built from the same bytes. Builds into a folder beside it and renames, so that nobody
 * reads half a build. Type errors fail the build, yet leave what was emitted, as tsc does; other errors leave the
 * previous `dist/`. `npm ci` runs this as the `prepare` script.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
const staging = join(root, `dist-${process.pid}`);
const inputs = [
  'ir',
  'passes',
  'compiler',
  'runtime',
  'scripts',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
];
const shebang = '#!/usr/bin/env node\n';

/** A hash over every file that the build reads. */
function fingerprint() {
  const hash = createHash('sha256').update(process.version);
  for (const path of inputs.flatMap(filesUnder)) hash.update(`\0${path}\0`).update(readFileSync(join(root, path)));
  return hash.digest('hex');
}

/** The files of `path` (a file, a folder or nothing), relative to the root, sorted. */
function filesUnder(path) {
  const full = join(root, path);
  if (!existsSync(full)) return [];
  if (statSync(full).isFile()) return [path];
  return readdirSync(full)
    .sort()
    .flatMap((name) => filesUnder(`${path}/${name}`));
}

/** Whether the layers are free of type errors; they are emitted in any case. */
function compileLayers() {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const args = [tsc, '-p', 'tsconfig.build.json', '--outDir', staging];
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  return status === 0;
}

/** What `npx radialc` runs must be executable, and start with the line that says by what. */
function finishCommandLine() {
  const file = join(staging, 'compiler/cli/main.js');
  if (!existsSync(file)) return;
  const text = readFileSync(file, 'utf8');
  if (!text.startsWith('#!')) writeFileSync(file, shebang + text);
  chmodSync(file, 0o755);
}

async function bundleRuntime() {
  if (!existsSync(join(root, 'runtime/index.ts')) || !existsSync(join(root, 'runtime/tokenizer.ts'))) return;
  const { build } = await import('esbuild');
  const { flattenDeclarations } = await import('./declarations.mjs');
  const folder = join(staging, 'runtime-bundle');
  mkdirSync(folder, { recursive: true });
  const shared = {
    absWorkingDir: root,
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    target: 'es2023',
    minify: true,
    mainFields: ['module', 'main'],
    logLevel: 'warning',
  };
  await build({
    ...shared,
    entryPoints: ['runtime/index.ts'],
    outfile: join(folder, 'index.js'),
    external: ['node:*'],
    plugins: [tokenizerBeside],
  });
  await build({
    ...shared,
    entryPoints: ['runtime/tokenizer.ts'],
    outfile: join(folder, 'tokenizer.js'),
    banner: { js: tokenizerNotice() },
  });
  writeFileSync(join(folder, 'index.d.ts'), flattenDeclarations(join(staging, 'runtime/index.d.ts')));
}

/** The runtime imports `./tokenizer.ts` when it needs it; in an artifact that is a file of its own. */
const tokenizerBeside = {
  name: 'tokenizer-beside',
  setup(build) {
    build.onResolve({ filter: /\/tokenizer\.ts$/ }, () => ({ path: './tokenizer.js', external: true }));
  },
};

/** The licence asks that copies of the library say what they are. */
function tokenizerNotice() {
  const read = JSON.parse(readFileSync(join(root, 'node_modules/@huggingface/tokenizers/package.json'), 'utf8'));
  return `/*! Contains ${read.name} ${read.version}, by ${read.author}, ${read.license} license. */`;
}

async function main() {
  if (!existsSync(join(root, 'node_modules/typescript')) || !existsSync(join(root, 'node_modules/esbuild'))) {
    console.log('build: skipped, the development dependencies are not installed');
    return;
  }
  const stamp = fingerprint();
  const stampFile = join(dist, '.built-from');
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) {
    console.log('build: dist/ is up to date');
    return;
  }
  const start = performance.now();
  let correct = false;
  try {
    correct = compileLayers();
    finishCommandLine();
    await bundleRuntime();
    if (correct) writeFileSync(join(staging, '.built-from'), stamp);
    rmSync(dist, { recursive: true, force: true });
    renameSync(staging, dist);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
  if (!correct) process.exitCode = 1;
  console.log(
    `build: ${correct ? 'dist/' : 'dist/, with the type errors above,'} in ${((performance.now() - start) / 1000).toFixed(1)} s`,
  );
}

main().catch((error) => {
  console.error(`build: ${error.message}`);
  process.exitCode = 1;
});
