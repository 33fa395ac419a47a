/** @file What every command has in common: help, exit codes, suggestions, colours, interruption; and the real command. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { visible, withoutCommands } from '../../../compiler/cli/format.ts';
import { createIo } from '../../../compiler/cli/io.ts';
import { packageVersion } from '../../../compiler/package-info.ts';
import { checkpoint, ok, optConfig, radialc, scratch, writeJson } from './support.ts';
import type { Ran } from './support.ts';

const commands = [
  'compile',
  'run',
  'forward',
  'verify',
  'inspect',
  'bench',
  'eval',
  'profile',
  'merge',
  'oracle',
  'study',
  'sweep',
  'train',
  'opt',
  'init',
  'targets',
  'explain',
];
interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

const main = fileURLToPath(new URL('../../../dist/compiler/cli/main.js', import.meta.url));

describe('radialc', () => {
  it('tells its version', async () => {
    assert.equal(await ok('--version'), `${packageVersion()}\n`);
  });

  it('has help with examples, for itself and for every command', async () => {
    const overview = await ok('--help');
    for (const name of commands) {
      assert.match(overview, new RegExp(`^ {2}${name}\\b`, 'm'));
      const help = await ok(name, '--help');
      assert.match(help, new RegExp(`^Examples?:\\n {2}\\$ radialc ${name}|\\$ echo .* radialc ${name}`, 'm'), name);
      assert.equal(await ok('help', name), help);
    }
    assert.deepEqual(overview.match(/^ {2}[a-z|]+ (?=\[options\])/gm)?.length, commands.length);
  });

  it('ends with 2 for wrong usage, and suggests what was meant', async () => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [[], /Usage: radialc/],
      [['compil'], /unknown command 'compil'\n\(Did you mean compile\?\)/],
      [['compile', 'x', '--ouput', 'y', '-o', 'z'], /unknown option '--ouput'\n\(Did you mean --output\?\)/],
      [['compile', 'x'], /required option '-o, --output <dir>' not specified/],
      [['compile'], /required/],
      [['compile', 'x', 'y', '-o', 'z'], /too many arguments/],
      [['compile', 'x', '-o', 'z', '--kv', 'never'], /Allowed choices are absent, project, latest/],
      [['compile', 'x', '-o', 'z', '-O3'], /Levels are O0, O1 and O2/],
      [['compile', 'x', '-o', ''], /Expected the name of a folder/],
      [['init', '--config', 'x', '-o', ''], /Expected the name of a folder/],
      [['compile', 'x', '-o', 'z', '--max-hops', '0'], /at least 1/],
      [['run', 'x', '--ids', '1', '--temperature', 'NaN'], /at least 0/],
      [['run', 'x', '--ids', '1', '--top-p', '1.5'], /at most 1/],
      [['run', 'x', '--ids', '1', '-n', '1e3'], /whole number/],
      [['forward', 'x', '--input', 'y', '--mode', 'both'], /Allowed choices are prefill, decode/],
      [['inspect', 'x', '--ir', 'wat'], /Allowed choices are network, kernels/],
      [['init', '--config', 'x', '-o', 'y', '--dtype', 'F8'], /Allowed choices are F32, F16, BF16/],
      [['targets', '--format=xml'], /Allowed choices are text, json/],
    ];
    for (const [args, message] of cases) {
      const { code, stdout, stderr } = await radialc(args);
      assert.equal(code, 2, args.join(' '));
      assert.match(stderr, message);
      assert.equal(stdout, '');
    }
  });

  it('colours terminals only, and none that says NO_COLOR', () => {
    const colored = (env: Readonly<Record<string, string>>): boolean => {
      const before = { ...process.env };
      try {
        delete process.env['NO_COLOR'];
        delete process.env['FORCE_COLOR'];
        Object.assign(process.env, env);
        const { out, err } = createIo().colors;
        assert.equal(out.isColorSupported, err.isColorSupported);
        return err.isColorSupported && err.red('x') !== 'x';
      } finally {
        process.env = before;
      }
    };
    assert.equal(colored({ FORCE_COLOR: '1' }), true);
    assert.equal(colored({ FORCE_COLOR: '1', NO_COLOR: '1' }), false);
    assert.equal(colored({ FORCE_COLOR: '1', NO_COLOR: '' }), true);
  });

  it('escapes control characters of names in what it prints', async () => {
    assert.equal(visible('a\u001b[31m\r\u009b\u007f\t\n\u00e9'), 'a\\u001b[31m\\u000d\\u009b\\u007f\t\n\u00e9');
    assert.equal(withoutCommands('\u001b[2J\u009b1m\r\n'), '\\u001b[2J\\u009b1m\r\n');
    const { code, stderr } = await radialc(['compile', 'no\u001b[2Jwhere', '-o', 'none']);
    assert.equal(code, 1);
    assert.match(stderr, /--> no\\u001b\[2Jwhere$/m);
    assert.match((await radialc(['\u001b[2J'])).stderr, /unknown command '\\u001b\[2J'/);
  });
});

describe('the radialc command (skipped before `npm run build`)', () => {
  const at = scratch();
  before(async function () {
    if (!existsSync(main)) this.skip();
    // Enough weights that a signal finds it at work.
    const large = { ...optConfig, hidden_size: 512, word_embed_proj_dim: 512, ffn_dim: 2048, vocab_size: 20_000 };
    await checkpoint(at('large'), { config: large, tokenizer: null });
  });

  const start = (args: readonly string[], input?: string): Ran => {
    const env = { ...process.env, NO_COLOR: '1' };
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', input, env });
    return { code: status ?? -1, stdout, stderr };
  };

  it('runs', () => {
    assert.deepEqual(start(['--version']), { code: 0, stdout: `${packageVersion()}\n`, stderr: '' });
    const { code, stdout, stderr } = start(['forward', at('nowhere'), '--input', '-'], '{"input_ids": [[1]]}');
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^error\[RC0140\]: .*\n {2}--> .*\n {2}help: .*\n$/);
  });

  it('reads no more of stdin than it takes', () => {
    writeFileSync(at('zeros'), '');
    truncateSync(at('zeros'), 65 * 2 ** 20);
    const zeros = openSync(at('zeros'), 'r');
    const { status, stderr } = spawnSync(process.execPath, [main, 'forward', at('nowhere'), '--input', '-'], {
      encoding: 'utf8',
      stdio: [zeros, 'ignore', 'pipe'],
    });
    closeSync(zeros);
    assert.equal(status, 1);
    assert.match(stderr, /^error\[RC0155\]: .*\n {2}--> stdin\n {2}help: /);
  });

  it('refuses a folder as stdin', function () {
    if (process.platform === 'win32') return this.skip();
    const folder = openSync(at(), 'r');
    const { status, stderr } = spawnSync(process.execPath, [main, 'forward', at('nowhere'), '--input', '-'], {
      encoding: 'utf8',
      stdio: [folder, 'ignore', 'pipe'],
    });
    closeSync(folder);
    assert.equal(status, 1);
    assert.match(stderr, /^error\[RC1003\]: .*EISDIR.*\n {2}--> stdin\n {2}help: /);
  });

  it('ends quietly when nobody reads on', async () => {
    const input = writeJson(at('input.json'), { input_ids: Array.from({ length: 99 }, () => [1, 2, 3]) });
    await checkpoint(at('small'));
    const child = spawn(process.execPath, [main, 'forward', at('small'), '--input', input, '--format=json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.stdout.destroy();
    const code = await new Promise((resolve) => {
      child.on('close', resolve);
    });
    assert.deepEqual([code, stderr], [0, '']);
  });

  it('says that stdout is full', function () {
    if (process.platform !== 'linux') return this.skip();
    const full = openSync('/dev/full', 'w');
    const { status, stderr } = spawnSync(process.execPath, [main, 'targets'], {
      encoding: 'utf8',
      stdio: ['ignore', full, 'pipe'],
    });
    closeSync(full);
    assert.equal(status, 1);
    assert.match(stderr, /^error\[RC1003\]: .*ENOSPC.*\n {2}--> stdout\n {2}help: .*\n$/);
  });

  for (const [signal, exit] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    it(`ends with ${exit} after ${signal}, and leaves nothing`, async function () {
      if (process.platform === 'win32') return this.skip();
      const names = readdirSync(at());
      const isWriting = (): boolean => readdirSync(at()).some((name) => name.endsWith('.tmp'));
      const { code, stderr } = await signalled(['compile', at('large'), '-o', at('out')], signal, isWriting);
      assert.deepEqual([code, stderr], [exit, 'interrupted; nothing was left half-written\n']);
      assert.deepEqual(readdirSync(at()), names);
    });
  }

  it('is ended at once by a signal where there is nothing to clean up, also in a computation', async function () {
    if (process.platform === 'win32') return this.skip();
    const ids = Array.from({ length: 40 }, () => 1);
    const input = writeJson(at('long.json'), { input_ids: Array.from({ length: 400 }, () => ids) });
    const started = performance.now();
    const forward = ['forward', at('large'), '--input', input, '--backend=interpreter'];
    const { signal } = await signalled(forward, 'SIGTERM', () => performance.now() - started > 2000);
    assert.equal(signal, 'SIGTERM');
  });

  /** Sends a command a signal as soon as `when` says so. */
  async function signalled(args: readonly string[], signal: NodeJS.Signals, when: () => boolean): Promise<Ended> {
    const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const ended = new Promise<Ended>((resolve) => {
      child.on('close', (code, by) => {
        resolve({ code, signal: by, stderr });
      });
    });
    while (!when() && child.exitCode === null) {
      await new Promise((resolve) => {
        setTimeout(resolve, 2);
      });
    }
    child.kill(signal);
    return ended;
  }
});
