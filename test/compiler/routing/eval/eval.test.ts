/** @file `radialc eval`: against the trainer's loss, against probabilities worked out slowly, what it writes and shows. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Evaluation } from '../../../../compiler/routing/index.ts';
import { evaluate, loadTrainedModel, startBackend } from '../../../../compiler/training/index.ts';
import { createTokenizer } from '../../../../runtime/tokenizer.ts';
import {
  checkpoint,
  filesOf,
  ok,
  okJson,
  radialc,
  readJson,
  scratch,
  tokenizerJson,
  writeJson,
} from '../../cli/support.ts';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const text = 'the cat sat on the other mat. then the thin moth went there. '.repeat(3);

/** Probabilities as the definition says. */
function softmax(logits: readonly number[]): readonly number[] {
  const max = Math.max(...logits);
  const powers = logits.map((value) => Math.exp(value - max));
  const sum = powers.reduce((total, value) => total + value, 0);
  return powers.map((value) => value / sum);
}

function near(found: number | undefined, expected: number, tolerance = 1e-9): void {
  assert.ok(Math.abs((found ?? NaN) - expected) <= tolerance, `${found}, not ${expected}`);
}

describe('radialc eval', () => {
  const at = scratch();
  before(async () => {
    await checkpoint(at('model'));
    await ok('compile', at('model'), '-o', at('out'));
    await ok('compile', at('model'), '-o', at('short'), '--route', 'external', '--max-hops', '3');
    writeFileSync(at('text.txt'), text);
  });
  const evaluation = (model: string, ...rest: readonly string[]): Promise<Evaluation> =>
    okJson<Evaluation>('eval', at(model), '--text', at('text.txt'), '--window', '16', ...rest);

  it('gives the loss of the trainer on the bundled model', async () => {
    const path = `${root}examples/sotu-opt`;
    const [license, count] = [`${root}LICENSE`, 512];
    await startBackend();
    const { shape, parameters, codec } = loadTrainedModel(path);
    const ids = Uint16Array.from(codec.encode(readFileSync(license, 'utf8'))).subarray(0, count);
    const expected = evaluate(shape, parameters, ids, { tokens: 256, batch: 2 });
    const found = await okJson<Evaluation>('eval', path, '--text', license, '--max-tokens', String(count));
    assert.deepEqual([found.window, found.windows, found.tokens], [256, 2, expected.count]);
    near(found.model.nats, expected.loss, 1e-4);
    near(found.model.perplexity, Math.exp(expected.loss), 1e-3 * Math.exp(expected.loss));
    near(found.bytes, Buffer.byteLength(codec.decode(Array.from(ids))), 0);
  });

  it('is what follows from the logits: loss, bits, divergence, agreement, depth', async () => {
    const ids = createTokenizer(tokenizerJson(), undefined).encode(text);
    const windows = Array.from({ length: Math.ceil(ids.length / 16) }, (_, i) => ids.slice(16 * i, 16 * i + 16));
    const input = writeJson(at('ids.json'), { input_ids: windows.map((targets) => [2, ...targets.slice(0, -1)]) });
    const rows = async (model: string): Promise<readonly (readonly number[])[]> =>
      (await okJson<{ logits: number[][][] }>('forward', at(model), '--input', input)).logits.flat().map(softmax);
    const [dense, routed] = [await rows('out'), await rows('short')];
    const mean = (of: (position: number) => number): number =>
      ids.reduce((sum, _, position) => sum + of(position), 0) / ids.length;
    const nats = (probabilities: readonly (readonly number[])[]): number =>
      mean((t) => -Math.log(probabilities[t]?.[ids[t] ?? NaN] ?? NaN));
    const top = (row: readonly number[] = []): number => row.indexOf(Math.max(...row));

    const { tokens, bytes, model, against, agreement } = await evaluation('short', '--against', at('out'));
    assert.deepEqual([tokens, bytes], [ids.length, Buffer.byteLength(text)]);
    near(model.nats, nats(routed));
    near(against?.nats, nats(dense));
    near(model.perplexity, Math.exp(nats(routed)), 1e-6);
    near(model.bitsPerByte, (nats(routed) * ids.length) / Math.LN2 / Buffer.byteLength(text));
    near(
      agreement?.kl,
      mean((t) => (dense[t] ?? []).reduce((sum, p, id) => sum + p * Math.log(p / (routed[t]?.[id] ?? NaN)), 0)),
    );
    near(
      agreement?.top1,
      mean((t) => Number(top(dense[t]) === top(routed[t]))),
    );
    assert.deepEqual(model.depth, { mean: 3, p50: 3, p95: 3, p99: 3 });
    assert.deepEqual(against?.depth.mean, 4);
  });

  it('finds no difference between a checkpoint, its program and the IR of both', async () => {
    const dump = await ok('opt', at('model'), '--stop-after', 'radialize');
    writeFileSync(at('model.rir'), dump);
    const { model } = await evaluation('out');
    for (const [name, ...rest] of [
      ['out', '--mode', 'decode'],
      ['model', '--route', 'external', '--kv', 'latest'],
      ['model.rir', '--weights', at('model')],
    ] as const) {
      const found = await evaluation(name, '--against', at('model'), ...rest);
      assert.deepEqual(found.agreement, { kl: 0, top1: 1 }, name);
      assert.deepEqual([found.model, found.against], [model, model], name);
    }
  });

  it('writes the same numbers to a file, each time the same but for the timing', async () => {
    const run = (): Promise<string> =>
      ok('eval', at('out'), '--text', at('text.txt'), '--window', '16', '-o', at('eval.json'), '--format', 'json');
    assert.deepEqual(JSON.parse(await run()), readJson(at('eval.json')));
    const read = (): object => ({ ...(readJson(at('eval.json')) as object), timing: null });
    const first = read();
    await run();
    assert.deepEqual(read(), first);
    assert.match(readFileSync(at('eval.json'), 'utf8'), /^\{\n {2}"format": "radial-eval",\n/);
  });

  it('shows people a line for each model, and how they differ', async () => {
    const args = ['eval', at('short'), '--text', at('text.txt'), '--window', '16'];
    const alone = await ok(...args);
    assert.match(alone, /^\d+ tokens \(\d+ bytes\) in \d+ windows of at most 16, prefill\n\nmodel +depth +p50/);
    assert.match(alone, /short +3\.00 +3 +3 +3 +\d\.\d{4} +\d+\.\d\d +\d\.\d{3} +\d+\n$/);
    assert.match(
      await ok(...args, '--against', at('out')),
      /out +4\.00 [^]*\n\nKL\(dense \|\| this\) \d\.\d{5} nats per token, top-1 agreement [\d.]+ %\n$/,
    );
  });

  it('shows how far it is, and leaves nothing when it is interrupted', async () => {
    const args = ['eval', at('out'), '--text', at('text.txt'), '--window', '4', '-o', at('never.json')];
    const files = filesOf(at());
    const controller = new AbortController();
    const shares: number[] = [];
    const { code, stdout } = await radialc(args, {
      signal: controller.signal,
      progress: {
        update: (done, total) => {
          shares.push(done / total);
          if (shares.length === 5) controller.abort();
        },
        stop: () => undefined,
      },
    });
    assert.deepEqual([code, stdout, shares.length], [130, '', 5]);
    assert.deepEqual(
      shares,
      [...shares].sort((a, b) => a - b),
    );
    assert.deepEqual(filesOf(at()), files);
    assert.ok(!existsSync(at('never.json')));
  });
});
