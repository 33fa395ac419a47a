/** @file `radialc train`: the three modes in small, from text to a program whose gates decide. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { initCheckpoint, openWeights } from '../../../compiler/frontend/index.ts';
import { torchNames } from '../../../compiler/frontend/weights/dtypes.ts';
import { openInput } from '../../../compiler/input.ts';
import { modelHash } from '../../../compiler/routing/model-hash.ts';
import { fails, ok, okJson, optConfig, radialc, readJson, scratch, tokenizerJson, writeJson } from './support.ts';

const steps = ['--steps', '6', '--batch', '2', '--tokens', '16', '--checkpoint-every', '3', '--warmup', '1'];

interface LogLine {
  readonly step: number;
  readonly loss?: number;
  readonly tokensPerSecond?: number;
  readonly depth?: number;
  readonly heldOut?: Measured;
  readonly training?: Measured;
}

interface Measured {
  readonly loss: number;
  readonly usage?: readonly number[];
  readonly routes?: {
    readonly entropy: readonly number[];
    readonly sameRoute: number;
    readonly sameAtPosition: number;
  };
}

describe('radialc train', function () {
  this.timeout(120_000);
  const at = scratch();
  const sentence = (i: number): string => `The ${i % 7} of the ${(i * 5) % 11} states is ${i} and union.\n`;
  const scratchOptions = ['--layers', '2', '--hidden', '16', '--heads', '2', '--vocab', '280', '--context', '24'];
  const log = (run: string): readonly LogLine[] =>
    readFileSync(at(`${run}/log.jsonl`), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as LogLine);

  before(async () => {
    writeFileSync(at('text.txt'), Array.from({ length: 120 }, (_, i) => sentence(i)).join(''));
    writeFileSync(at('held.txt'), Array.from({ length: 20 }, (_, i) => sentence(3 * i + 1)).join(''));
    await ok('train', '--mode', 'scratch', '--text', at('text.txt'), '-o', at('base'), ...scratchOptions, ...steps);
  });

  it('trains a model from scratch that can be compiled', async () => {
    assert.equal(log('base').filter(({ loss }) => loss !== undefined).length, 6);
    await ok('run', at('base/model'), '--prompt', 'The', '-n', '4');
  });

  it('says how fast it is, in a line for the first step and for the last', async () => {
    const speeds = log('base').filter(({ loss }) => loss !== undefined);
    assert.ok(speeds.every(({ tokensPerSecond = 0 }) => tokensPerSecond > 0));
    const args = ['train', '--mode', 'scratch', '--text', at('text.txt'), ...scratchOptions, ...steps, '-o'];
    const { stderr } = await radialc([...args, at('told')]);
    const told = [...stderr.matchAll(/^step (\d+)\/6 {2}loss \S+ {2}\d+ tokens\/s/gm)].map(([, step]) => step);
    assert.deepEqual(told, ['1', '6']);
  });

  it('goes on with a model without routers', async () => {
    const first = (run: string): number => log(run)[0]?.loss ?? NaN;
    const last = log('base').findLast(({ loss }) => loss !== undefined)?.loss ?? NaN;
    const longer = ['--mode', 'scratch', '--text', at('text.txt'), '-o', at('longer'), ...steps, '--seed', '5'];
    await ok('train', at('base/model'), ...longer);
    assert.ok(first('longer') < (first('base') + last) / 2, `${first('base')} to ${last}, then ${first('longer')}`);
    await ok('run', at('longer/model'), '--prompt', 'The', '-n', '4');
  });

  for (const mode of ['distill', 'joint'] as const) {
    it(`${mode}: gates beside the model, which compile and decide`, async () => {
      const args = ['train', at('base/model'), '--mode', mode, '--text', at('text.txt'), '--held-out', at('held.txt')];
      const gates = [...steps, '--lr', '0.02', '--gate-hidden-size', '4', '--target-depth', '0.75', '--kv', 'absent'];
      await ok(
        ...args,
        '-o',
        at(mode),
        ...gates,
        ...(mode === 'joint' ? ['--workers', '2', '--weighting', 'probability'] : []),
      );
      const lines = log(mode);
      const measured = lines.filter(({ heldOut }) => heldOut !== undefined);
      assert.deepEqual(
        measured.map(({ step }) => step),
        [3, 6],
      );
      assert.ok(measured.every(({ heldOut }) => heldOut?.usage?.length === 4 && heldOut.loss > 0));
      const same = (a: string, b: string): boolean => readFileSync(at(a)).equals(readFileSync(at(b)));
      assert.equal(same(`${mode}/model/model.safetensors`, 'base/model/model.safetensors'), mode === 'distill');
      await ok('compile', at(`${mode}/model`), '-o', at(`${mode}-out`));
      const { routing } = await okJson<{ routing: { weighting?: string } }>('inspect', at(`${mode}/model`));
      assert.equal(routing.weighting, mode === 'joint' ? 'probability' : undefined);
      const found = await okJson<{ path: number[][] }>('run', at(`${mode}-out`), '--prompt', 'The 3', '-n', '6');
      assert.equal(found.path.length, 6);
      const thin = ['--threshold', '0.99'];
      const shallow = await okJson<{ path: number[][] }>(
        'run',
        at(`${mode}-out`),
        '--prompt',
        'The 3',
        '-n',
        '6',
        ...thin,
      );
      assert.ok(shallow.path.every((path) => path.length === 0));
    });
  }

  it('gates and model learn from a teacher besides the text', async () => {
    const joint = ['train', at('base/model'), '--mode', 'joint', '--text', at('text.txt'), ...steps];
    const teacher = ['--teacher', at('longer/model'), '--teacher-weight'];
    const losses = new Map<string, number | undefined>();
    for (const weight of ['0', '1', 'without']) {
      await ok(...joint, '-o', at(`taught-${weight}`), ...(weight === 'without' ? [] : [...teacher, weight]));
      losses.set(weight, log(`taught-${weight}`)[0]?.loss);
    }
    assert.equal(losses.get('0'), losses.get('without'));
    assert.ok((losses.get('1') ?? 9) < (losses.get('0') ?? 0));
    const resumed = [...joint, '-o', at('taught-1'), '--resume'];
    await fails('RC1102', ...resumed);
    await fails('RC1102', ...resumed, '--teacher', at('base/model'), '--teacher-weight', '1');
  });

  it('refuses teachers that cannot teach', async () => {
    const joint = ['train', at('base/model'), '--mode', 'joint', '--text', at('text.txt'), '-o', at('x'), ...steps];
    await fails(
      'RC1109',
      'train',
      at('base/model'),
      '--text',
      at('text.txt'),
      '-o',
      at('x'),
      '--teacher',
      at('longer/model'),
    );
    await fails('RC1109', ...joint, '--teacher', at('taught-1/model'));
    writeFileSync(at('other.txt'), readFileSync(at('text.txt'), 'utf8').toUpperCase());
    const other = [
      'train',
      '--mode',
      'scratch',
      '--text',
      at('other.txt'),
      '-o',
      at('other'),
      ...scratchOptions,
      ...steps,
    ];
    await ok(...other);
    await fails('RC1109', ...joint, '--teacher', at('other/model'));
    await fails('RC0140', ...joint, '--teacher', at('nobody'));
    assert.ok(!existsSync(at('x')));
  });

  it('a hub from scratch, whose model goes on jointly, compiles and is evaluated', async () => {
    const texts = ['--text', at('text.txt'), '--held-out', at('held.txt')];
    const hub = ['--router', 'hub', '--max-hops', '7', '--first-hops', '6', '--target-depth', '0.5', '--seed', '3'];
    const fresh = ['train', '--mode', 'scratch', ...texts, '-o', at('hub'), ...scratchOptions, ...hub, ...steps];
    const { code, stderr } = await radialc(fresh);
    assert.equal(code, 0, stderr);
    assert.match(
      stderr,
      /step 6: saved; held out \S+ nats per token in \S+ hops.*evenness .*at the cap .*one route at each position/,
    );
    await ok(
      'train',
      at('hub/model'),
      '--mode',
      'joint',
      ...texts,
      '-o',
      at('hub-2'),
      '--passes',
      '2',
      '--unroll',
      '1',
      ...steps,
    );
    assert.ok((log('hub-2').at(-1)?.heldOut?.loss ?? 9) < (log('hub')[0]?.loss ?? 0));
    await ok('compile', at('hub-2/model'), '-o', at('hub-out'));
    const { path } = await okJson<{ path: number[][] }>('run', at('hub-out'), '--prompt', 'The 3', '-n', '6');
    assert.ok(
      path.every((blocks) => blocks.length <= 7) && path.some((blocks) => new Set(blocks).size < blocks.length),
    );
    await ok('eval', at('hub-out'), '--text', at('held.txt'));
  });

  it('a hub for a model that stays as it is', async () => {
    const hub = ['--router', 'hub', '--target-depth', '0.6', '--held-out', at('held.txt'), '--seed', '2'];
    await ok('train', at('base/model'), '--text', at('text.txt'), '-o', at('near'), ...hub, ...steps);
    const [base, near] = ['base', 'near'].map((run) => readFileSync(at(`${run}/model/model.safetensors`)));
    assert.ok(base !== undefined && near !== undefined && base.equals(near));
    await ok('compile', at('near/model'), '-o', at('near-out'));
    const { path } = await okJson<{ path: number[][] }>('run', at('near-out'), '--prompt', 'The 3', '-n', '6');
    assert.ok(path.every((blocks) => blocks.length <= 4));
    await ok('train', at('near/model'), '--text', at('text.txt'), '-o', at('nearer'), ...steps);
  });

  it('says how the routes of gates have collapsed, where nothing is held out on the text itself', async () => {
    const args = ['train', at('base/model'), '--text', at('text.txt'), '-o', at('alone'), ...steps];
    const { code, stderr } = await radialc(args);
    assert.equal(code, 0, stderr);
    assert.match(
      stderr,
      /step 6: saved; on the text itself .* of the blocks.*at the cap .*one route .*at each position/,
    );
    const { training } = log('alone').findLast((line) => line.training !== undefined) ?? {};
    assert.ok(training?.routes !== undefined && training.usage?.length === 4);
    const { entropy, sameRoute, sameAtPosition } = training.routes;
    for (const [block, share] of training.usage.entries()) {
      const bits = [share, 1 - share].reduce((sum, p) => (p === 0 ? sum : sum - p * Math.log2(p)), 0);
      assert.ok(Math.abs((entropy[block] ?? NaN) - bits) < 1e-9);
    }
    assert.ok(sameRoute > 0 && sameRoute <= sameAtPosition);
    writeFileSync(at('word.txt'), 'The');
    await fails('RC1101', ...args, '--held-out', at('word.txt'), '--resume');
  });

  it('refuses hubs that it cannot train', async () => {
    const text = ['--text', at('text.txt'), '-o', at('x')];
    const fresh = ['train', '--mode', 'scratch', ...text, ...scratchOptions];
    const hub = [...fresh, '--router', 'hub'];
    await fails('RC1109', ...fresh, '--router', 'gate');
    await fails('RC1109', ...hub, '--kv', 'latest');
    await fails('RC1109', ...hub, '--layer-drop', '0.1');
    await fails('RC1109', ...hub, '--anchor-first', '1');
    await fails('RC1109', ...hub, '--hub-hidden-size', '4');
    await fails('RC1109', ...hub, '--first-hops', '9', '--max-hops', '8');
    await fails('RC1109', ...hub, '--passes', '1', '--unroll', '2');
    await fails('RC1108', ...hub, '--target-depth', '0');
    await fails('RC1109', 'train', at('base/model'), ...text, '--router', 'hub', '--unroll', '1');
    await fails('RC1109', 'train', at('hub/model'), ...text, '--mode', 'joint', '--router', 'gate');
    await fails('RC1109', 'train', at('hub/model'), ...text, '--mode', 'scratch');
    assert.ok(!existsSync(at('x')));
  });

  for (const dtype of ['F32', 'BF16'] as const) {
    it(`distill leaves every weight of a sharded ${dtype} model as it is; joint keeps the dtype`, async () => {
      const base = at(`base-${dtype}`);
      await initCheckpoint({
        config: { ...optConfig, init_std: 0.3 },
        seed: 1,
        outDir: base,
        dtype,
        maxFileBytes: 4000,
      });
      writeJson(join(base, 'tokenizer.json'), tokenizerJson());
      writeFileSync(at('letters.txt'), 'the quick brown fox jumps over the lazy dog.'.repeat(20));
      const args = ['train', base, '--text', at('letters.txt'), ...steps, '--mode'];
      for (const mode of ['distill', 'joint']) {
        const out = at(`${mode}-${dtype}`);
        await ok(...args, mode, '-o', out);
        const model = join(out, 'model');
        for (const file of ['radial-config.json', 'router.safetensors']) rmSync(join(model, file));
        const [old, written] = [openWeights(base), openWeights(model)];
        assert.deepEqual(written.names().toSorted(), old.names().toSorted());
        assert.ok(written.names().every((name) => written.dtype(name) === dtype));
        for (const weights of [old, written]) weights.close();
        assert.equal((await hashOf(base)) === (await hashOf(model)), mode === 'distill');
        assert.deepEqual(
          (readJson(join(model, 'config.json')) as { torch_dtype: string }).torch_dtype,
          torchNames[dtype],
        );
      }
    });
  }

  it('ends with 130 when it is interrupted, goes on later, and tells of what could not be saved', async () => {
    const args = ['train', at('base/model'), '--mode', 'joint', '--text', at('text.txt'), ...steps, '-o'];
    const stopped = await radialc([...args, at('stopped')], { signal: AbortSignal.abort() });
    assert.equal(stopped.code, 130, stopped.stderr);
    assert.match(
      stopped.stderr,
      /saved.*\nwhat is done is in .*stopped; the same command with --resume goes on\ninterrupted; nothing was/,
    );
    await ok(...args, at('stopped'), '--resume');
    mkdirSync(at('blocked/model/model.safetensors'), { recursive: true });
    const { code, stderr } = await radialc([...args, at('blocked')], { signal: AbortSignal.abort() });
    assert.equal(code, 1, stderr);
    assert.match(stderr, /error\[RC1111\]: .*\n {2}--> .*blocked.model.model\.safetensors\n {2}help: /);
    assert.doesNotMatch(stderr, /interrupted/);
  });

  it('refuses a model without a tokenizer', async () => {
    cpSync(at('base/model'), at('mute'), { recursive: true });
    rmSync(at('mute/tokenizer.json'));
    await fails('RC1203', 'train', at('mute'), '--text', at('text.txt'), '-o', at('x'));
    assert.ok(!existsSync(at('x')));
  });

  it('refuses what does not go together, and loses nothing', async () => {
    const text = ['--text', at('text.txt')];
    await fails('RC1109', 'train', '--mode', 'joint', ...text, '-o', at('x'));
    await fails('RC1109', 'train', '--mode', 'scratch', '--vocab', '65537', ...text, '-o', at('x'));
    await fails('RC1109', 'train', '--mode', 'scratch', '--heads', '5', ...text, '-o', at('x'));
    await fails('RC1109', 'train', at('base/model'), '--weighting', 'probability', ...text, '-o', at('x'));
    await fails(
      'RC1109',
      'train',
      at('base/model'),
      '--mode',
      'joint',
      '--router',
      'hub',
      '--weighting',
      'probability',
      ...text,
      '-o',
      at('x'),
    );
    await fails('RC1109', 'train', at('base/model'), '--tokens', '99', ...text, '-o', at('x'));
    const anchored = ['--anchor-first', '1', '--anchor-last', '2', '--target-depth', '0.5'];
    await fails('RC1108', 'train', at('base/model'), ...anchored, ...text, '-o', at('x'));
    for (const depth of ['1.5', '-0.1']) {
      await fails('RC1108', 'train', at('base/model'), ...text, '-o', at('x'), '--target-depth', depth);
    }
    writeFileSync(at('empty.txt'), ' \n');
    await fails('RC1110', 'train', at('base/model'), '--text', at('empty.txt'), '-o', at('x'));
    writeFileSync(at('bytes.txt'), new Uint8Array([0xff, 0xfe, 0x41]));
    await fails('RC1110', 'train', at('base/model'), '--text', at('bytes.txt'), '-o', at('x'));
    writeFileSync(at('short.txt'), 'too short');
    await fails('RC1101', 'train', at('base/model'), '--text', at('short.txt'), '-o', at('x'), ...steps);
    assert.ok(!existsSync(at('x')) || !existsSync(at('x/model')));
    const again = ['train', '--mode', 'scratch', ...text, '-o', at('base'), ...scratchOptions];
    assert.match(await fails('RC1104', ...again, ...steps), /another folder with -o$/m);
    const other = await fails('RC1102', ...again, ...steps, '--resume', '--lr', '0.1');
    assert.match(other, /other settings: --lr is 0\.1, not 0\.003$/m);
    await fails('RC1105', 'train', at('base/model'), ...text, '-o', at('new'), ...steps, '--resume');
  });
});

/** The hash that reports know a model by. */
async function hashOf(model: string): Promise<string> {
  const input = openInput(model);
  try {
    return await modelHash(input, new AbortController().signal);
  } finally {
    input.close();
  }
}
