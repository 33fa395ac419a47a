/**
 * @file Reports what the last `npm run coverage` covered, and fails below the thresholds of `.c8rc.json`.
 *
 * A file that compiles to nothing (it only declares types) never runs; it is left out of the count.
 * The pages are in `coverage/`. Arguments go to `c8 report`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
const compilerOptions = { target: 'es2023', module: 'esnext', removeComments: true, verbatimModuleSyntax: true };

function declaresOnlyTypes(path) {
  const { outputText } = ts.transpileModule(readFileSync(`${root}${path}`, 'utf8'), { compilerOptions });
  return /^(export \{\};)?$/.test(outputText.trim());
}

const typeFiles = ['ir', 'passes', 'compiler', 'runtime']
  .filter((layer) => existsSync(`${root}${layer}`))
  .flatMap((layer) => readdirSync(`${root}${layer}`, { recursive: true }).map((name) => `${layer}/${name}`))
  .filter((path) => path.endsWith('.ts') && declaresOnlyTypes(path));

const args = ['node_modules/c8/bin/c8.js', 'report', ...typeFiles.map((path) => `--exclude=${path}`)];
const { status } = spawnSync(process.execPath, [...args, ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' });
process.exitCode = status ?? 1;
