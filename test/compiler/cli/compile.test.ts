/** @file `radialc compile`: outputs, phases that can be resumed, options, interruption. */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from '../../../compiler/build.ts';
import type { Metafile } from '../../../compiler/build.ts';
import { pipelinePasses } from '../../../passes/index.ts';
import { checkpoint, fails, filesOf, ok, okJson, phaseFile, radialc, readJson, scratch } from './support.ts';

interface ManifestShape {
  readonly program: {
    readonly routing: { readonly kv: string; readonly revisit: string; readonly maxHops: number };
    readonly shapes: { readonly context: number };
    readonly target: string;
  };
}

describe('radialc compile', () => {
  const at = scratch();
  before(async () => {
    await checkpoint(at('model'));
  });

  const sameBytes = (a: string, b: string): void => {
    const files = filesOf(at(a));
    assert.deepEqual(filesOf(at(b)), files);
    for (const file of files) assert.ok(readFileSync(at(a, file)).equals(readFileSync(at(b, file))), file);
  };

  it('writes a whole artifact, and the same bytes again', async () => {
    const text = await ok('compile', at('model'), '-o', at('a'));
    assert.match(text, /^.*a: 4 blocks, \d+ kernels, model\.wasm .*, weights .*, memory .*, in .* s\n$/);
    await ok('build', at('model'), `--output=${at('b')}`);
    sameBytes('a', 'b');
    assert.deepEqual(
      filesOf(at('a')).map((file) => file.replace(/-[0-9a-f]{64}/, '')),
      [
        'index.d.ts',
        'index.js',
        'kernels.rir',
        'manifest.json',
        'model.wasm',
        'network.rir',
        'tokenizer.js',
        'tokenizer.json',
        join('weights', '00000.bin'),
      ],
    );
  });

  it('replaces an older artifact', async () => {
    await ok('compile', at('model'), '-o', at('again'), '-O0');
    await ok('compile', at('model'), '-o', at('again'));
    await ok('compile', at('model'), '-o', at('once'));
    sameBytes('again', 'once');
    assert.ok(!readdirSync(at()).some((name) => name.endsWith('.tmp') || name.endsWith('.old')));
  });

  it('tells machines what it did, on stdout and in a metafile', async () => {
    const file = at('meta.json');
    const printed = await okJson<Metafile>('compile', at('model'), '-o', at('meta'), '--metafile', file);
    assert.deepEqual(readJson(file), printed);
    const { wasmBytes, weightBytes, blocks, kernels, passes, stages } = printed;
    assert.equal(wasmBytes, readFileSync(at('meta', 'model.wasm')).byteLength);
    assert.equal(blocks, 4);
    assert.ok(weightBytes > 0 && kernels > 0);
    assert.deepEqual(
      passes.map(({ n }) => n),
      passes.map((_, i) => i + 1),
    );
    assert.deepEqual(Object.keys(stages), ['frontend', 'passes', 'wasm', 'write']);
  });

  it('shows the time of each pass', async () => {
    const { code, stderr } = await radialc(['compile', at('model'), '-o', at('timing'), '--timing']);
    assert.equal(code, 0);
    for (const name of ['canonicalise', 'fuse-qkv', 'lower', 'plan-memory', 'wasm', 'write']) {
      assert.match(stderr, new RegExp(` ${name} +[\\d.]+ ms`));
    }
  });

  it('goes on from any dumped phase to the same program, byte for byte', async () => {
    await ok('compile', at('model'), '-o', at('whole'), '--dump-phases-to', at('phases'), '--route', 'external');
    const phases = readdirSync(at('phases')).sort();
    assert.equal(phases[0], '00.input.rir');
    assert.equal(phases.at(-1), '20.plan-memory.rir');
    assert.equal(phases.length, 21);
    const wasm = readFileSync(at('whole', 'model.wasm'));
    for (const phase of phases) {
      const [n = ''] = phase.split('.');
      const routed = Number(n) < 6 ? ['--route', 'external'] : [];
      await ok(
        'compile',
        at('phases', phase),
        '--compile-from',
        String(Number(n)),
        '--weights',
        at('model'),
        '-o',
        at('resumed'),
        ...routed,
      );
      assert.ok(readFileSync(at('resumed', 'model.wasm')).equals(wasm), phase);
    }
  });

  it('takes the name of a pass to go on from', async () => {
    await ok('compile', at('model'), '-o', at('named'), '--dump-phases-to', at('named-phases'));
    await ok(
      'compile',
      phaseFile(at('named-phases'), 'lower'),
      '--compile-from',
      'lower',
      '--weights',
      at('model'),
      '-o',
      at('named-2'),
    );
    assert.ok(readFileSync(at('named', 'model.wasm')).equals(readFileSync(at('named-2', 'model.wasm'))));
    assert.ok(!filesOf(at('named-2')).includes('network.rir'));
  });

  it('refuses phases that are not where they are said to be', async () => {
    await ok('compile', at('model'), '-o', at('x'), '--dump-phases-to', at('places'));
    const args = ['--weights', at('model'), '-o', at('none')];
    await fails('RC0607', 'compile', phaseFile(at('places'), 'lower'), '--compile-from', 'plan-memory', ...args);
    await fails('RC0602', 'compile', phaseFile(at('places'), 'lower'), '--compile-from', 'fuse-norm', ...args);
    await fails('RC0602', 'compile', phaseFile(at('places'), 'dce'), '--compile-from', 'lower', ...args);
    await fails(
      'RC0604',
      'compile',
      phaseFile(at('places'), 'canonicalise'),
      '--compile-from',
      'canonicalize-all',
      ...args,
    );
    await fails('RC0604', 'compile', phaseFile(at('places'), 'canonicalise'), '--compile-from', '77', ...args);
    await fails('RC1008', 'compile', phaseFile(at('places'), 'canonicalise'), '--compile-from', '10', '-o', at('none'));
    const planned = phaseFile(at('places'), 'plan-memory');
    const lacking = readFileSync(planned, 'utf8').replace(/^.*\$normed :.*\n/m, '');
    writeFileSync(at('lacking.rir'), lacking);
    assert.match(
      await fails('RC0607', 'compile', at('lacking.rir'), '--compile-from', 'plan-memory', ...args),
      /\$normed/,
    );
    assert.ok(!existsSync(at('none')));
  });

  it('stops a build whose passes end too early', async () => {
    await assert.rejects(build({ input: at('model'), manager: { stopAfter: 'lower' } }), /RC0607/);
  });

  it('prints the module after passes', async () => {
    const { stderr } = await radialc([
      'compile',
      at('model'),
      '-o',
      at('printed'),
      '--print-ir-after',
      'fuse-qkv',
      'lower',
    ]);
    assert.deepEqual(stderr.match(/^\/\/ after .*/gm), ['// after fuse-qkv', '// after lower']);
    const all = await radialc(['compile', at('model'), '-o', at('printed'), '--print-ir-after', 'all', '-O0']);
    assert.equal(all.stderr.match(/^\/\/ after .*/gm)?.length, pipelinePasses('O0').length);
    assert.match(
      await fails('RC0601', 'compile', at('model'), '-o', at('none'), '--print-ir-after', 'fuse-kqv'),
      /did you mean fuse-qkv\?/,
    );
  });

  it('optimises at three levels', async () => {
    const kernels: number[] = [];
    for (const level of ['-O0', '-O1', '-O2', '--opt-level=O2']) {
      kernels.push((await okJson<Metafile>('compile', at('model'), '-o', at('level'), level)).kernels);
    }
    const [none = 0, some = 0, full = 0, again] = kernels;
    assert.ok(none >= some && some > full, String(kernels));
    assert.equal(again, full);
  });

  it('compiles routes, policies, caps and contexts', async () => {
    const routing = async (...args: readonly string[]): Promise<ManifestShape['program']> => {
      await ok('compile', at('model'), '-o', at('routed'), ...args);
      return (readJson(at('routed', 'manifest.json')) as ManifestShape).program;
    };
    for (const kv of ['absent', 'project', 'latest']) {
      const program = await routing(
        '--route',
        'external',
        '--kv',
        kv,
        '--max-hops',
        '6',
        '--revisit=append',
        '--context-window-size',
        '20',
      );
      assert.deepEqual(
        { ...program.routing, entry: 0, blocks: 0 },
        { ...program.routing, kv, revisit: 'append', maxHops: 6, entry: 0, blocks: 0 },
      );
      assert.equal(program.shapes.context, 20);
    }
    assert.equal((await routing()).target, 'wasm-simd');
  });

  it('compiles IR text that needs no weights', async () => {
    copyFileSync('examples/hand-written/loop.rir', at('loop.rir'));
    await ok('compile', at('loop.rir'), '-o', at('loop'));
    assert.ok(existsSync(at('loop', 'model.wasm')));
  });

  it('refuses targets, formats and inputs that do not exist', async () => {
    await fails('RC1009', 'compile', at('model'), '-o', at('none'), '--target', 'avr');
    await fails('RC1009', 'compile', at('model'), '-o', at('none'), '--dtype=int1');
    await fails('RC0140', 'compile', at('nowhere'), '-o', at('none'));
    await fails('RC0141', 'compile', at('model', 'config.json'), '-o', at('none'));
    await fails('RC1003', 'compile', at('nowhere.rir'), '-o', at('none'));
    assert.ok(!existsSync(at('none')));
  });

  it('refuses outputs that cannot be written', async () => {
    writeFileSync(at('a-file'), '');
    mkdirSync(at('others'));
    writeFileSync(at('others', 'thesis.txt'), 'mine');
    await fails('RC0830', 'compile', at('model'), '-o', at('others'));
    await fails('RC0830', 'compile', at('model'), '-o', at('a-file'));
    await fails('RC0831', 'compile', at('model'), '-o', at('a-file', 'below'));
    await fails('RC0830', 'compile', at('model'), '-o', at('model'));
    await fails('RC1003', 'compile', at('model'), '-o', at('none'), '--dump-phases-to', at('a-file'));
    await fails('RC1003', 'compile', at('model'), '-o', at('other-none'), '--metafile', at('a-file', 'meta.json'));
    assert.equal(readFileSync(at('others', 'thesis.txt'), 'utf8'), 'mine');
    assert.ok(!existsSync(at('none')));
  });

  it('refuses outputs in the place of one another, and a metafile that cannot be written, before it begins', async () => {
    const names = readdirSync(at()).sort();
    const args = ['compile', at('model'), '-o', at('none')];
    await fails('RC1013', ...args, '--metafile', at('none', 'meta.json'));
    await fails('RC1013', ...args, '--dump-phases-to', at('none'));
    await fails('RC1013', ...args, '--dump-phases-to', at('none', '..', 'none', 'phases'));
    await fails('RC1003', ...args, '--metafile', at('model'));
    assert.deepEqual(readdirSync(at()).sort(), names);
  });

  it('refuses options for texts with a checkpoint', async () => {
    const args = ['compile', at('model'), '-o', at('none')];
    assert.match(await fails('RC1014', ...args, '--weights', at('model')), /--weights is an option for IR text/);
    assert.match(await fails('RC1014', ...args, '--compile-from', 'dce'), /--compile-from is an option for IR text/);
    await fails('RC1014', 'opt', at('model'), '--weights', at('model'));
    await fails('RC1014', 'inspect', at('model'), '--weights', at('model'));
  });

  it('fills an empty folder where it is, and does not replace the one that it is run in', async () => {
    mkdirSync(at('empty'));
    const before = statSync(at('empty')).ino;
    const folder = process.cwd();
    try {
      process.chdir(at('empty'));
      await ok('compile', at('model'), '-o', '.');
      assert.match(await fails('RC0830', 'compile', at('model'), '-o', '.'), /in the current folder/);
    } finally {
      process.chdir(folder);
    }
    assert.equal(statSync(at('empty')).ino, before);
    await ok('compile', at('model'), '-o', at('not-there'));
    sameBytes('empty', 'not-there');
  });

  it('leaves an empty folder empty when it is interrupted', async () => {
    mkdirSync(at('still-empty'));
    const controller = new AbortController();
    const progress = {
      update: () => {
        controller.abort();
      },
      stop: () => undefined,
    };
    const settings = { signal: controller.signal, progress };
    const { code } = await radialc(['compile', at('model'), '-o', at('still-empty')], settings);
    assert.equal(code, 130);
    assert.deepEqual(readdirSync(at('still-empty')), []);
  });

  it('gives diagnostics to machines, too', async () => {
    const { code, stdout } = await radialc(['compile', at('nowhere'), '-o', at('none'), '--format', 'json']);
    assert.equal(code, 1);
    const { diagnostics } = JSON.parse(stdout) as {
      diagnostics: readonly { code: string; severity: string; help: string }[];
    };
    assert.deepEqual(
      diagnostics.map(({ code: name, severity }) => [name, severity]),
      [['RC0140', 'error']],
    );
  });

  it('leaves nothing when it is interrupted', async () => {
    const names = readdirSync(at()).sort();
    const controller = new AbortController();
    const progress = {
      update: () => {
        controller.abort();
      },
      stop: () => undefined,
    };
    const { code, stderr } = await radialc(['compile', at('model'), '-o', at('interrupted')], {
      signal: controller.signal,
      progress,
    });
    assert.equal(code, 130);
    assert.match(stderr, /^interrupted/);
    assert.deepEqual(readdirSync(at()).sort(), names);
  });

  it('does not begin when it was interrupted before', async () => {
    const { code } = await radialc(['compile', at('model'), '-o', at('never')], { signal: AbortSignal.abort() });
    assert.equal(code, 130);
    assert.ok(!existsSync(at('never')));
  });
});
