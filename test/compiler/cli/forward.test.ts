/** @file `radialc forward`: sequences, images and routes, on every kind of input and with either backend. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import {
  checkpoint,
  fails,
  filesOf,
  ok,
  okJson,
  phaseFile,
  radialc,
  scratch,
  vitConfig,
  writeJson,
} from './support.ts';

type Matrix = readonly (readonly number[])[];

interface Forwarded {
  readonly logits: readonly Matrix[];
  readonly depth: Matrix;
}

const sequences = [
  [2, 5, 9, 31, 4],
  [7, 7, 0],
];
/** Two tokens pass over blocks 1 and 2, one executes nothing, the rest all. */
const mask = [
  [1, 1, 0, 1, 1],
  [0, 1, 0, 1, 1],
  [1, 0, 0, 1, 1],
  [1, 1, 0, 1, 1],
];
const walk = [[0, 2, 3], [0, 1, 3], [], [0, 1, 2, 3], [0, 1, 2, 3]];

function assertClose(found: Forwarded, expected: Forwarded): void {
  assert.deepEqual(found.depth, expected.depth);
  const [a, b] = [found, expected].map(({ logits }) => logits.flat(2));
  assert.equal(a?.length, b?.length);
  a?.forEach((value, i) => assert.ok(Math.abs(value - (b?.[i] ?? NaN)) <= 3e-4, `value ${i}: ${value}, ${b?.[i]}`));
}

describe('radialc forward', () => {
  const at = scratch();
  const forward = (model: string, input: string, ...args: readonly string[]): Promise<Forwarded> =>
    okJson('forward', at(model), '--input', at(input), ...args);

  before(async () => {
    await checkpoint(at('model'));
    await checkpoint(at('vit'), { config: vitConfig });
    await ok('compile', at('model'), '-o', at('out'));
    await ok('compile', at('model'), '-o', at('routed'), '--route', 'external', '--kv', 'latest');
    await ok('compile', at('vit'), '-o', at('vit-out'));
    writeJson(at('ids.json'), { input_ids: sequences });
    writeJson(at('mask.json'), { input_ids: sequences, mask });
    writeJson(at('walk.json'), { input_ids: sequences, walk });
    writeJson(at('backwards.json'), { input_ids: [[2, 5, 9]], walk: [[0, 1], [2, 3, 0, 0], [3]] });
    const image = (scale: number): Matrix =>
      Array.from({ length: 8 }, (_, y) => Array.from({ length: 8 }, (__, x) => scale * (x - y)));
    writeJson(at('images.json'), { pixel_values: [[image(0.125)], [image(-0.25)]] });
  });

  it('gives logits and depth of each position', async () => {
    const { logits, depth } = await forward('out', 'ids.json');
    assert.deepEqual(depth, [
      [4, 4, 4, 4, 4],
      [4, 4, 4],
    ]);
    assert.deepEqual(
      logits.map((rows) => rows.map((row) => row.length)),
      [
        [32, 32, 32, 32, 32],
        [32, 32, 32],
      ],
    );
    assertClose(await forward('out', 'ids.json', '--mode=decode'), { logits, depth });
  });

  it('is the same on the program, its checkpoint and its IR, compiled or interpreted', async () => {
    const expected = await forward('out', 'ids.json');
    assert.deepEqual(await forward('model', 'ids.json'), expected);
    assertClose(await forward('model', 'ids.json', '--backend=interpreter'), expected);
    assertClose(await forward('out', 'ids.json', '--backend', 'interpreter'), expected);
    copyFileSync(at('out', 'network.rir'), at('network.rir'));
    await ok('compile', at('model'), '-o', at('dumped'), '--dump-phases-to', at('phases'));
    copyFileSync(phaseFile(at('phases'), 'dce'), at('network.rir'));
    assertClose(await forward('network.rir', 'ids.json', '--weights', at('model'), '--backend=interpreter'), expected);
    assertClose(await forward('network.rir', 'ids.json', '--weights', at('model')), expected);
  });

  it('takes a mask and a walk, which mean the same', async () => {
    const masked = await forward('routed', 'mask.json');
    assert.deepEqual(masked.depth, [
      [3, 3, 0, 4, 4],
      [3, 3, 0],
    ]);
    assert.deepEqual(await forward('routed', 'walk.json'), masked);
    for (const input of ['mask.json', 'walk.json']) {
      assertClose(await forward('routed', input, '--mode', 'decode'), masked);
      assertClose(await forward('routed', input, '--backend=interpreter'), masked);
      assertClose(await forward('model', input, '--kv', 'latest'), masked);
      assertClose(await forward('model', input, '--kv', 'latest', '--backend=interpreter'), masked);
    }
  });

  it('takes walks that lead backwards', async () => {
    const walked = await forward('routed', 'backwards.json');
    assert.deepEqual(walked.depth, [[2, 4, 1]]);
    assertClose(await forward('routed', 'backwards.json', '--backend=interpreter'), walked);
    assertClose(await forward('routed', 'backwards.json', '--mode=decode'), walked);
  });

  it('gives one row of logits for each image', async () => {
    const { logits } = await forward('vit-out', 'images.json');
    assert.deepEqual(
      logits.map((row) => row.length),
      [5, 5],
    );
    assert.notDeepEqual(logits[0], logits[1]);
    const interpreted = await forward('vit', 'images.json', '--backend=interpreter');
    (interpreted.logits as unknown as Matrix).forEach((row, i) => {
      row.forEach((value, k) => assert.ok(Math.abs(value - Number(logits[i]?.[k])) <= 3e-4));
    });
  });

  it('shows people the likeliest', async () => {
    const text = await ok('forward', at('out'), '--input', at('ids.json'));
    assert.match(text, /^sequence 0\n {2}position 0, depth 4: (\d+: -?\d+\.\d{4} *){5}\n/);
    assert.match(await ok('forward', at('vit-out'), '--input', at('images.json')), /^image 0\n {2}logits: \d: /);
  });

  it('reads standard input', async () => {
    const stdin = JSON.stringify({ input_ids: sequences });
    const { code, stdout } = await radialc(['forward', at('out'), '--input', '-', '--format=json'], { stdin });
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout), await forward('out', 'ids.json'));
    const broken = await radialc(['forward', at('out'), '--input', '-'], { stdin: '{"input_ids"' });
    assert.match(broken.stderr, /^error\[RC0150\].*\n {2}--> stdin:1:/);
  });

  it('refuses input that is not as described, and says where', async () => {
    const cases: readonly [unknown, string][] = [
      [{}, '--> '],
      [{ input_ids: [[1]], pixel_values: [] }, 'RC1002'],
      [{ input_ids: [] }, 'input_ids'],
      [{ input_ids: [1, 2] }, 'field "input_ids.0"'],
      [{ input_ids: [[1, 1.5]] }, 'field "input_ids.0.1"'],
      [{ input_ids: [['1']] }, 'field "input_ids.0.0"'],
      [{ input_ids: [[1]], mask: [[2]] }, 'field "mask.0.0"'],
      [{ input_ids: [[1]], mask: [[1]], walk: [[1]] }, 'exclude'],
      [{ input_ids: [[1]], masks: [[1]] }, 'masks'],
      [[], 'expected'],
      [null, 'expected'],
    ];
    for (const [value, part] of cases) {
      const stderr = await fails('RC1002', 'forward', at('out'), '--input', writeJson(at('bad.json'), value));
      assert.ok(stderr.includes(part) && stderr.includes('help: '), stderr);
    }
    writeFileSync(at('bad.json'), '{"input_ids": [[1]], "input_ids": [[2]]}');
    await fails('RC0151', 'forward', at('out'), '--input', at('bad.json'));
    await fails('RC0132', 'forward', at('out'), '--input', at('nowhere.json'));
    await fails('RC1003', 'forward', at('out'), '--input', at());
  });

  it('refuses input that is no file, or too long a text, without reading it', async () => {
    writeFileSync(at('long.json'), '');
    truncateSync(at('long.json'), 2 ** 40);
    assert.match(await fails('RC0155', 'forward', at('out'), '--input', at('long.json')), /more than the 67108864/);
    if (process.platform === 'win32') return;
    execFileSync('mkfifo', [at('pipe')]);
    symlinkSync('/dev/zero', at('device'));
    for (const path of [at('pipe'), at('device'), '/dev/zero']) {
      assert.match(await fails('RC1003', 'forward', at('out'), '--input', path), / {2}help: .* --input -\n/);
    }
  });

  it('writes JSON row by row', async () => {
    const args = ['forward', at('out'), '--input', at('ids.json'), '--format=json'];
    const lengths = [0];
    const { stdout } = await radialc(args, { flush: async (text) => void lengths.push(text.length) });
    assert.equal(lengths.at(-1), stdout.length);
    // Eight rows, a ninth of the text each, and the depths.
    assert.ok(lengths.every((length, i) => length - (lengths[i - 1] ?? 0) < stdout.length / 6));
    assert.deepEqual(JSON.parse(stdout), await forward('out', 'ids.json'));
  });

  it('says which sequence or image it refuses, with either backend', async () => {
    const cases: readonly (readonly [string, string, object, string])[] = [
      ['RC0904', 'routed', { input_ids: [[1], [99]] }, 'sequence 1'],
      ['RC0905', 'routed', { input_ids: [[1], Array.from({ length: 49 }, () => 1)] }, 'sequence 1'],
      ['RC0924', 'routed', { input_ids: [[1]], walk: [[9]] }, 'sequence 0'],
      ['RC0906', 'vit-out', { pixel_values: [[[[0]]]] }, 'image 0'],
    ];
    for (const backend of ['compiled', 'interpreter']) {
      for (const [code, model, input, item] of cases) {
        const file = writeJson(at('item.json'), input);
        const text = await fails(code, 'forward', at(model), '--input', file, '--backend', backend);
        assert.ok(text.includes(`\n  --> ${file}, ${item}\n`), text);
      }
    }
    const { stderr } = await radialc(['forward', at('out'), '--input', '-'], { stdin: '{"input_ids": [[99]]}' });
    assert.match(stderr, /^ {2}--> stdin, sequence 0$/m);
  });

  it('refuses routes that the program does not have, with either backend', async () => {
    const bad: readonly [string, object][] = [
      ['RC0922', { mask: [[1]] }],
      ['RC0924', { walk: [[9]] }],
      ['RC0924', { walk: [[-1]] }],
    ];
    for (const backend of ['compiled', 'interpreter']) {
      await fails('RC0920', 'forward', at('out'), '--input', at('mask.json'), '--backend', backend);
      for (const [code, route] of bad) {
        const input = writeJson(at('bad.json'), { input_ids: [[1]], ...route });
        await fails(code, 'forward', at('routed'), '--input', input, '--backend', backend);
      }
    }
  });

  it('refuses the wrong kind of input, with either backend', async () => {
    await fails('RC0907', 'forward', at('vit-out'), '--input', at('ids.json'));
    await fails('RC0907', 'forward', at('out'), '--input', at('images.json'));
    await fails('RC1007', 'forward', at('vit-out'), '--input', at('ids.json'), '--backend=interpreter');
    await fails('RC1007', 'forward', at('out'), '--input', at('images.json'), '--backend=interpreter');
    await fails('RC0902', 'forward', at('vit-out'), '--input', at('images.json'), '--mode=decode');
    await fails('RC1011', 'forward', at('out'), '--input', at('ids.json'), '--backend=interpreter', '--kv=latest');
  });

  it('interprets neither kernels nor programs without a network', async () => {
    await ok('compile', at('model'), '-o', at('dumped'), '--dump-phases-to', at('kernels'));
    const lowered = phaseFile(at('kernels'), 'lower');
    await fails(
      'RC1007',
      'forward',
      lowered,
      '--weights',
      at('model'),
      '--input',
      at('ids.json'),
      '--backend=interpreter',
    );
    await ok('compile', lowered, '--weights', at('model'), '-o', at('from-kernels'));
    assert.ok(!filesOf(at('from-kernels')).includes('network.rir'));
    await fails('RC0834', 'forward', at('from-kernels'), '--input', at('ids.json'), '--backend=interpreter');
    assert.deepEqual(await forward('from-kernels', 'ids.json'), await forward('out', 'ids.json'));
  });
});
