/**
 * @file `npm test`: every check of the project. Each failing stage fails the run, and the last line is the count.
 *
 * `npm test -- lint types` runs the named stages only. The static stages run two at a time and print when they end; then
 * the tests run, two files at a time. `coverage` is only run by name: counting makes the tests slower by a third.
 */
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (path) => [process.execPath, `node_modules/${path}`];

/** In the order in which they are shown. `build` comes first, because tests start the built command. */
const stages = [
  { name: 'build', title: 'dist/ is current', command: [process.execPath, 'scripts/build.mjs'] },
  {
    name: 'format',
    title: 'prettier',
    command: [...bin('prettier/bin/prettier.cjs'), '--check', '--log-level=warn', '.'],
  },
  { name: 'lint', title: 'eslint', command: [...bin('eslint/bin/eslint.js'), '.'] },
  { name: 'types', title: 'tsc', command: [...bin('typescript/bin/tsc'), '-p', '.'] },
  {
    name: 'imports',
    title: 'dependency-cruiser',
    command: [
      ...bin('dependency-cruiser/bin/dependency-cruise.mjs'),
      ...['ir', 'passes', 'compiler', 'runtime', 'examples', 'scripts', 'test'],
    ],
  },
  { name: 'unused', title: 'knip', command: [...bin('knip/bin/knip.js'), '--no-progress'] },
  {
    name: 'test',
    title: 'mocha',
    command: [...bin('mocha/bin/mocha.js'), '--forbid-only', '--parallel', '--jobs', '2', 'test/**/*.test.ts'],
    live: true,
  },
  { name: 'coverage', title: 'c8', command: [process.execPath, 'scripts/coverage.mjs'], live: true, byName: true },
];

/** Runs a stage; its output is shown as it comes where it is `live`, else when it has ended. */
function run(stage, environment = {}) {
  const start = performance.now();
  const [command, ...args] = stage.command;
  const colour = process.stdout.isTTY && process.env.NO_COLOR === undefined ? { FORCE_COLOR: '1' } : {};
  const child = spawn(command, args, {
    cwd: root,
    env: { ...process.env, ...colour, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
      if (stage.live === true) process.stdout.write(text);
    });
  }
  return new Promise((resolve) => {
    const end = (passed) => resolve({ stage, passed, output, seconds: (performance.now() - start) / 1000 });
    child.on('error', (error) => {
      output += `${error.message}\n`;
      end(false);
    });
    child.on('close', (code) => end(code === 0));
  });
}

function heading(stage) {
  console.log(
    `\n── ${stage.name} · ${stage.title} ${'─'.repeat(Math.max(3, 60 - stage.name.length - stage.title.length))}`,
  );
}

function show({ stage, passed, output, seconds }) {
  heading(stage);
  if (output.trim() !== '') console.log(output.trimEnd());
  console.log(`${passed ? '✔' : '✘'} ${stage.name} (${seconds.toFixed(1)} s)`);
}

/** The static stages: two workers take from one queue. */
async function runStatic(queue) {
  const results = [];
  const worker = async () => {
    for (let stage = queue.shift(); stage !== undefined; stage = queue.shift()) {
      const result = await run(stage);
      show(result);
      results.push(result);
    }
  };
  await Promise.all([worker(), worker()]);
  return results;
}

/** The tests, with V8's counters on where a report of what they covered follows. */
async function runLive(chosen) {
  const results = [];
  for (const stage of chosen) {
    heading(stage);
    const counts = stage.name === 'test' && chosen.some(({ name }) => name === 'coverage');
    if (counts) rmSync(`${root}coverage`, { recursive: true, force: true });
    results.push(await run(stage, counts ? { NODE_V8_COVERAGE: `${root}coverage/tmp` } : {}));
  }
  return results;
}

function count(text, word) {
  const found = new RegExp(`^\\s*(\\d+) ${word}\\b`, 'm').exec(text);
  return found === null ? 0 : Number(found[1]);
}

function summarise(results) {
  console.log('\n── summary ──');
  for (const { stage, passed, seconds } of results) {
    console.log(`${passed ? '✔' : '✘'} ${stage.name.padEnd(9)} ${seconds.toFixed(1).padStart(6)} s`);
  }
  const plain = (results.find(({ stage }) => stage.name === 'test')?.output ?? '').replace(/\x1b\[[0-9;]*m/g, '');
  const failedStages = results.filter(({ passed }) => !passed);
  console.log(
    `stages: ${results.length - failedStages.length} passed, ${failedStages.length} failed` +
      ` · tests: ${count(plain, 'passing')} passed, ${count(plain, 'failing')} failed, ${count(plain, 'pending')} skipped`,
  );
  return failedStages.length === 0;
}

const names = process.argv.slice(2);
const unknown = names.filter((name) => !stages.some((stage) => stage.name === name));
if (unknown.length > 0) {
  console.error(`unknown stage ${unknown.join(', ')}; the stages are ${stages.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}
const chosen = stages.filter(({ name, byName }) => (names.length === 0 ? byName !== true : names.includes(name)));
const results = [
  ...(await runStatic(chosen.filter(({ live }) => live !== true))),
  ...(await runLive(chosen.filter(({ live }) => live === true))),
];
process.exitCode = summarise(results) ? 0 : 1;
