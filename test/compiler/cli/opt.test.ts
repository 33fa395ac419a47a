/** @file `radialc opt`: passes on IR text. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseModule, printModule } from '../../../ir/index.ts';
import { allPasses, pipelinePasses } from '../../../passes/index.ts';
import { checkpoint, fails, ok, radialc, scratch } from './support.ts';

const source = 'examples/hand-written/loop.rir';
const names = (text: string): readonly string[] => (text.match(/^\/\/ after .*/gm) ?? []).map((line) => line.slice(9));

describe('radialc opt', () => {
  const at = scratch();

  it('runs no pass, and prints the module', async () => {
    const module = parseModule(readFileSync(source, 'utf8'), source);
    assert.equal(await ok('opt', source, '--stop-after', '0'), `${printModule(module).trimEnd()}\n`);
  });

  it('runs the passes that are named, in their order', async () => {
    const { stdout, stderr } = await radialc(['opt', source, '--passes', 'dce,cse,dce', '--print-after', 'all']);
    assert.deepEqual(names(stderr), ['dce', 'cse', 'dce']);
    assert.equal(parseModule(stdout, 'x').stage, 'network');
  });

  it('runs those of a level', async () => {
    for (const level of ['O0', 'O1', 'O2'] as const) {
      const { stdout, stderr } = await radialc(['opt', source, `-${level}`, '--print-after', 'all']);
      assert.deepEqual(
        names(stderr),
        pipelinePasses(level).map(({ name }) => name),
      );
      assert.equal(parseModule(stdout, 'x').stage, 'kernel');
    }
  });

  it('stops after a pass, by name and by number, and goes on from its text', async () => {
    const whole = await ok('opt', source);
    const stopped = await ok('opt', source, '--stop-after', 'lower');
    const number = pipelinePasses('O2').findIndex(({ name }) => name === 'lower') + 1;
    assert.equal(await ok('opt', source, '--stop-after', String(number)), stopped);
    writeFileSync(at('lowered.rir'), stopped);
    assert.equal(await ok('opt', at('lowered.rir'), '--passes', 'plan-kv-cache,plan-memory'), whole);
  });

  it('prints after the passes that are named, and shows their time', async () => {
    const { stderr } = await radialc(['opt', source, '--print-after', 'lower', 'dce', '--timing']);
    assert.deepEqual(names(stderr), ['dce', 'dce', 'lower']);
    assert.match(stderr, /plan-memory +[\d.]+ ms/);
  });

  it('takes a checkpoint, and routes', async () => {
    await checkpoint(at('model'));
    assert.match(await ok('opt', at('model'), '--route', 'external', '--stop-after', 'radialize'), /external/);
  });

  it('lists the passes and the levels', async () => {
    const text = await ok('opt', '--list-passes');
    for (const { name, summary } of allPasses) assert.ok(text.includes(name) && text.includes(summary), name);
    for (const level of ['O0', 'O1', 'O2']) assert.match(text, new RegExp(`^${level}: `, 'm'));
  });

  it('refuses passes that do not exist or do not fit', async () => {
    assert.match(await fails('RC0601', 'opt', source, '--passes', 'fuse-norms'), /did you mean fuse-norm\?/);
    await fails('RC0601', 'opt', source, '--print-after', 'nothing');
    await fails('RC0602', 'opt', source, '--passes', 'plan-memory');
    await fails('RC0604', 'opt', source, '--stop-after', 'nothing');
    await fails('RC0604', 'opt', source, '--stop-after', '99');
    await fails('RC0705', 'opt', source, '--passes', 'lower,plan-memory');
    const { code, stderr } = await radialc(['opt']);
    assert.equal(code, 2);
    assert.match(stderr, /missing required argument 'input'/);
  });

  it('shows the faults of a text on their lines', async () => {
    const text = readFileSync(source, 'utf8').replace('add(', 'addd(');
    writeFileSync(at('bad.rir'), text);
    const line = text.split('\n').findIndex((row) => row.includes('addd(')) + 1;
    const { code, stderr } = await radialc(['opt', at('bad.rir')]);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`^error\\[RC04\\d\\d\\].*\\n {2}--> .*bad\\.rir:${line}:`));
  });
});
