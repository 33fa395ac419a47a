/** @file A hub in training: its walks are those of the compiled program, its gradients are right, and it learns. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import type { RadialConfig } from '../../../compiler/frontend/index.ts';
import { cutWindows, spreadWindows } from '../../../compiler/training/batches.ts';
import { evaluateHub, pathsOf } from '../../../compiler/training/hub/evaluate.ts';
import { writeHub } from '../../../compiler/training/hub/export.ts';
import type { HubSettings } from '../../../compiler/training/hub/settings.ts';
import { hubSpecs } from '../../../compiler/training/hub/router.ts';
import { drawTurns } from '../../../compiler/training/hub/credit.ts';
import { walk, walkAhead } from '../../../compiler/training/hub/walk.ts';
import type { Walked } from '../../../compiler/training/hub/walk.ts';
import {
  initialState,
  loadTrainedModel,
  runSession,
  startBackend,
  tokenizerFiles,
  train,
  trainBpe,
  writeCheckpoint,
} from '../../../compiler/training/index.ts';
import type { Checkpoint, StepReport } from '../../../compiler/training/index.ts';
import { parameterCount, parameterSpecs, parameterTensors } from '../../../compiler/training/model.ts';
import { normals, seededRandom } from '../../../compiler/training/random.ts';
import { lossAndGradient } from '../../../compiler/training/step.ts';
import { firstParameters } from '../../../compiler/training/first-parameters.ts';
import { trainedSpecs, traineeOf } from '../../../compiler/training/trainee.ts';
import { compiled } from '../../support/compiled.ts';
import { hub } from '../../support/routers.ts';
import { dot } from './check-gradient.ts';
import { assertCompiledSame, tinySettings, tinyText, withEmptyFolder } from './support.ts';

const config: RadialConfig = { ...hub, blocks: 4, maxHops: 7, revisit: 'overwrite', hidden: 6 };
const { shape } = tinySettings();
const tiny: HubSettings = { passes: 1, unroll: 0, firstHops: 5, balance: 0.1, noise: 1 };

/** Random everywhere, so that blocks and hub do something; in steps that F16 holds, which is how models are stored. */
function drawn(specs: readonly { readonly size: number; readonly name: string }[], seed: number): Float32Array {
  const random = seededRandom(seed);
  const all = specs.map(({ name, size }) => normals(random, size, name.startsWith('gate.') ? 0.9 : 0.25));
  return Float32Array.from(
    all.flatMap((part) => [...part]),
    (x) => Math.round(x * 128) / 128,
  );
}

interface Found {
  readonly logits: readonly (readonly number[])[];
  readonly paths: readonly (readonly number[])[];
}

/** Two sequences. @param passes - before the one whose results are given */
function walked(own: RadialConfig, flat: Float32Array, ids: Int32Array, passes: number): Found {
  const parameters = parameterTensors(hubSpecs(own, shape.hidden, parameterSpecs(shape)), flat);
  const input = { ids, batch: 2, config: own };
  const before = walkAhead(parameters, shape, input, passes);
  const { x, hops, parts } = walk(parameters, shape, { ...input, before });
  return { logits: parts.head(x).arraySync(), paths: pathsOf(hops, ids.length, own.blocks) };
}

describe('a hub in training', () => {
  before(startBackend);

  for (const [seed, change] of [
    [1, {}],
    [2, { hopEmbedding: false }],
    [3, { hidden: 0, hopEmbedding: false }],
    [4, { anchors: 2 }],
    [5, {}],
  ] as const) {
    it(`walks as the compiled program does: seed ${seed}, ${JSON.stringify(change)}`, async () => {
      const own = { ...config, ...change };
      const tokens = 6;
      const specs = hubSpecs(own, shape.hidden, parameterSpecs(shape));
      const flat = drawn(specs, seed);
      const ids = Int32Array.from({ length: 2 * tokens }, (_, i) => (7 * i + seed) % shape.vocab);
      const { logits, paths } = walked(own, flat, ids, tokens - 1);
      assert.ok(new Set(paths.map((path) => path.join())).size > 3, JSON.stringify(paths));
      assert.ok(paths.some((path) => new Set(path).size < path.length));
      await assertCompiledSame({ shape, flat, ids, logits, paths }, (dir) => {
        writeHub(dir, own, shape.hidden, { specs, flat });
      });
    });
  }

  it('finds for all tokens at once what each alone would lose, had it gone elsewhere', () => {
    const tokens = 6;
    const specs = hubSpecs(config, shape.hidden, parameterSpecs(shape));
    const parameters = parameterTensors(specs, drawn(specs, 21));
    const ids = Int32Array.from({ length: 2 * tokens }, (_, i) => (7 * i + 3) % shape.vocab);
    const input = { ids, batch: 2, config };
    const logitsOf = ({ parts, x }: Walked): number[][] => parts.head(x).arraySync();
    const before = walkAhead(parameters, shape, input, tokens);
    const plain = walk(parameters, shape, { ...input, before });
    const turns = drawTurns(plain.hops, ids.length, seededRandom(2));
    assert.ok(turns.hops.every((hop, row) => (row % tokens < config.anchors ? hop === -1 : hop >= 0)));
    const beside = plain.leavings;
    const together = logitsOf(walk(parameters, shape, { ...input, before, turns, beside }));
    const nobody = new Int16Array(ids.length).fill(-1);
    assert.deepEqual(
      logitsOf(walk(parameters, shape, { ...input, before, turns: { ...turns, hops: nobody }, beside })),
      logitsOf(plain),
    );
    let changed = 0;
    for (let row = 0; row < ids.length; row++) {
      const alone = { ...input, turns: { ...turns, hops: nobody.with(row, turns.hops[row] ?? -1) } };
      const left = walkAhead(parameters, shape, alone, tokens);
      const expected = logitsOf(walk(parameters, shape, { ...alone, before: left }))[row] ?? [];
      for (const [i, logit] of (together[row] ?? []).entries()) {
        assert.ok(Math.abs(logit - (expected[i] ?? NaN)) < 1e-4, `row ${row}: ${logit}, not ${expected[i]}`);
      }
      changed += Number(String(expected) !== String(logitsOf(plain)[row]));
    }
    assert.ok(changed > tokens, `${changed}`);
  });

  it('has the gradient of its loss, for a fixed route and what the passes left that it does not go through', function () {
    this.timeout(240_000);
    for (const [seed, passes, unroll] of [
      [11, 0, 0],
      [12, 2, 0],
      [13, 3, 2],
    ] as const) {
      const routed = {
        mode: 'joint' as const,
        config,
        targetDepth: 0.5,
        budget: 3,
        anneal: 0,
        hub: { ...tiny, passes, unroll },
      };
      const settings = tinySettings({ seed, routed });
      const trainee = traineeOf(settings, new Float32Array());
      const flat = drawn(trainee.specs, seed);
      // A hub that looks neither at the hidden state nor at the hop: each token goes where the noise sends it.
      for (const { name, offset, size } of trainee.specs) {
        if (name.startsWith('gate.')) flat.fill(0, offset, offset + size);
      }
      const ids = Int32Array.from({ length: 32 }, (_, i) => (7 * i + seed) % shape.vocab);
      const data = { ids, targets: ids.map((id) => (id + 5) % shape.vocab) };
      const work = { share: { data, batch: 2, drops: () => false }, step: 0, worker: 0 };
      const parameters = parameterTensors(trainee.specs, flat);
      const left = trainee.prepare?.(parameters, work);
      tf.dispose([...parameters.values()]);
      assert.equal(left === undefined, passes === unroll);
      const fixed = { ...trainee, prepare: () => left };
      const tensors = tf.memory().numTensors;
      const { gradient, measured } = lossAndGradient(fixed, flat, work);
      assert.equal(tf.memory().numTensors, tensors);
      assert.ok(measured !== undefined && measured.depth > 0.3 && measured.depth < 1);
      for (const { name, offset, size } of parameterSpecs(shape)) {
        const direction = Float32Array.from({ length: size }, (_, i) => Math.cos(3 * i));
        const lossAt = (sign: number): number => {
          const there = flat.slice();
          for (const [i, d] of direction.entries()) there[offset + i] = (there[offset + i] ?? 0) + sign * 2e-4 * d;
          return lossAndGradient(fixed, there, work).loss;
        };
        const slope = (lossAt(1) - lossAt(-1)) / 4e-4;
        const part = gradient.subarray(offset, offset + size);
        const tolerance = 0.03 * Math.sqrt(dot(part, part)) + 3e-3;
        const found = dot(part, direction);
        assert.ok(Math.abs(slope - found) < tolerance, `seed ${seed}, ${name}: ${slope}, not ${found}`);
      }
    }
  });

  const base = tinySettings();
  const routed = { mode: 'joint' as const, config, targetDepth: 0.5, budget: 60, anneal: 20, hub: tiny };
  const settings = tinySettings({
    routed,
    workers: 2,
    optimizer: { ...base.optimizer, steps: 90, learningRate: 0.01 },
  });

  it('learns from scratch under a budget of hops; its checkpoint loses what the compiled program loses', async function () {
    this.timeout(240_000);
    const own = { ...settings, routed: { ...routed, hub: { ...tiny, firstHops: 7 } } };
    const reports: StepReport[] = [];
    const { parameters: flat } = await train(tinyText(), own, initialState(own), {
      onStep: (one) => reports.push(one),
    });
    const mean = (part: readonly StepReport[], of: (one: StepReport) => number): number =>
      part.reduce((sum, one) => sum + of(one), 0) / part.length;
    const [begin, end] = [reports.slice(0, 3), reports.slice(-20)];
    assert.ok(mean(begin, (one) => one.measured?.depth ?? NaN) > 0.8);
    const depth = mean(end, (one) => one.measured?.depth ?? NaN);
    assert.ok(Math.abs(depth - 0.5) < 0.12, `a depth of ${depth}`);
    const loss = mean(end, (one) => one.loss);
    assert.ok(loss < 0.6 * mean(begin, (one) => one.loss), `a loss of ${loss}`);

    const specs = trainedSpecs(own);
    await withEmptyFolder(async (dir) => {
      writeCheckpoint(dir, shape, flat, tokenizerFiles(trainBpe(['abc'], 300), shape.context));
      writeHub(dir, config, shape.hidden, { specs, flat });
      const { parameters: stored, gates } = loadTrainedModel(dir);
      const read = firstParameters(own, stored, gates);
      for (const file of ['tokenizer.json', 'tokenizer_config.json']) rmSync(join(dir, file));
      const { model } = await compiled({ input: dir });
      const [tokens, text] = [16, tinyText()];
      const starts = spreadWindows(text, tokens, 6);
      let nats = 0;
      let hops = 0;
      for (const start of starts) {
        const { ids, targets } = cutWindows(text, [start], tokens);
        const { logits, path } = await model.forward(ids);
        hops += path.reduce((sum, blocks) => sum + blocks.length, 0);
        nats += logits.reduce((sum, row, i) => sum - logChance(row, targets[i] ?? NaN), 0);
      }
      const parameters = parameterTensors(specs, read);
      const options = { tokens, batch: 4, maxWindows: 6, passes: tokens - 1 };
      const found = evaluateHub({ shape, config }, parameters, text, options);
      tf.dispose([...parameters.values()]);
      assert.ok(Math.abs(found.loss - nats / (6 * tokens)) < 2e-4, `${found.loss}, not ${nats / (6 * tokens)}`);
      assert.ok(Math.abs(found.routes.hops - hops / (6 * tokens)) < 1e-9);
    });
  });

  it('is distilled for a model that stays as it is: near its predictions, in fewer hops', async function () {
    this.timeout(240_000);
    const dense = { ...base, optimizer: { ...base.optimizer, steps: 120 } };
    const { parameters: model } = await train(tinyText(), dense, initialState(dense));
    const own = {
      ...base,
      optimizer: { ...base.optimizer, steps: 80, learningRate: 0.02 },
      routed: {
        mode: 'distill' as const,
        config: { ...config, maxHops: 4 },
        targetDepth: 0.75,
        budget: 60,
        anneal: 20,
        hub: { ...tiny, firstHops: 4, balance: 0, noise: 0 },
      },
    };
    const begin = initialState(own, model);
    assert.equal(begin.parameters.length, parameterCount(hubSpecs(own.routed.config, shape.hidden)));
    const reports: StepReport[] = [];
    await train(tinyText(), own, begin, { onStep: (one) => reports.push(one) }, model);
    // Through all blocks in order a token predicts what the model does.
    const { measured: first } = reports[0] ?? {};
    assert.ok(first?.depth === 1 && Math.abs(first.distance) < 1e-5, JSON.stringify(first));
    const mean = (part: readonly StepReport[], of: 'depth' | 'distance'): number =>
      part.reduce((sum, { measured }) => sum + (measured?.[of] ?? NaN), 0) / part.length;
    const end = reports.slice(-10);
    assert.ok(Math.abs(mean(end, 'depth') - 0.75) < 0.08, `a depth of ${mean(end, 'depth')}`);
    const worst = Math.max(...reports.map((_, i) => mean(reports.slice(i, i + 5), 'distance')));
    assert.ok(mean(end, 'distance') < 0.8 * worst, `${mean(end, 'distance')} nats, at worst ${worst}`);
  });

  it('goes on bit for bit where it was interrupted, and says how routes have collapsed', async function () {
    this.timeout(240_000);
    await withEmptyFolder(async (dir) => {
      const short = { ...settings, workers: 1, optimizer: { ...settings.optimizer, steps: 6 } };
      const session = (out: string, resume: boolean, stopAfter = Infinity): Promise<number> => {
        const stop = new AbortController();
        return runSession({
          out: join(dir, out),
          resume,
          settings: short,
          text: tinyText(),
          heldOut: tinyText().subarray(0, 100),
          tokenizer: tokenizerFiles(trainBpe(['abc'], 300), shape.context),
          checkpointEvery: 3,
          signal: stop.signal,
          onStep: ({ step }) => {
            if (step === stopAfter) stop.abort();
          },
        });
      };
      assert.equal(await session('whole', false), 6);
      assert.equal(await session('halves', false, 2), 2);
      assert.equal(await session('halves', true), 6);
      for (const file of ['state.safetensors', 'model/router.safetensors', 'model/model.safetensors']) {
        const [one, other] = ['whole', 'halves'].map((out) => readFileSync(join(dir, out, file)));
        assert.ok(one !== undefined && other !== undefined && one.equals(other), file);
      }
      const lines = readFileSync(join(dir, 'whole/log.jsonl'), 'utf8').trimEnd().split('\n');
      const { heldOut } = JSON.parse(lines.at(-1) ?? '') as Checkpoint;
      assert.ok(heldOut?.routes !== undefined);
      assert.equal(heldOut.routes.entropy.length, config.blocks);
      assert.ok(heldOut.routes.hops > 0 && heldOut.routes.sameAtPosition >= heldOut.routes.sameRoute);
    });
  });
});

function logChance(logits: Float32Array, target: number): number {
  const top = Math.max(...logits);
  return (logits[target] ?? NaN) - top - Math.log(logits.reduce((sum, x) => sum + Math.exp(x - top), 0));
}
