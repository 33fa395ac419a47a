/** @file Gates in training: what they compute is what the compiled program does, and they learn. */
import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import type { RadialConfig } from '../../../compiler/frontend/index.ts';
import type { RoutedSettings } from '../../../compiler/training/gates/settings.ts';
import { gateSpecs, routedForward } from '../../../compiler/training/gates/model.ts';
import { weighted } from '../../../compiler/training/gates/weighting.ts';
import { writeGates } from '../../../compiler/training/gates/export.ts';
import { credit, drawTurns } from '../../../compiler/training/gates/credit.ts';
import { carryKv, decide, turned, unitRms } from '../../../compiler/training/gates/ops.ts';
import type { Decision } from '../../../compiler/training/gates/ops.ts';
import { seededRandom } from '../../../compiler/training/random.ts';
import { addToRows } from '../../../compiler/training/rows.ts';
import { initialState, startBackend, train } from '../../../compiler/training/index.ts';
import type { StepReport, TrainSettings } from '../../../compiler/training/index.ts';
import type { Matrix } from '../../../compiler/training/matmul.ts';
import { initialParameters, parameterSpecs, parameterTensors } from '../../../compiler/training/model.ts';
import { lossAndGradient } from '../../../compiler/training/step.ts';
import { trainedSpecs, traineeOf } from '../../../compiler/training/trainee.ts';
import { gates } from '../../support/routers.ts';
import { checkGradient, dot } from './check-gradient.ts';
import { assertCompiledSame, tinySettings, tinyText } from './support.ts';
import type { Trained } from './support.ts';

const config: RadialConfig = { ...gates, blocks: 4, gatedBlocks: [1, 2, 3], maxHops: 4 };
const routed: RoutedSettings = { mode: 'distill', config, targetDepth: 0.6, budget: 60, anneal: 10 };

/** Random everywhere, so that blocks and gates do something. */
function drawn(specs: readonly { readonly size: number }[]): Float32Array {
  const count = specs.reduce((sum, { size }) => sum + size, 0);
  return Float32Array.from({ length: count }, (_, i) => 0.25 * Math.sin(1.7 * i + 0.003 * i * i));
}

describe('gates in training', () => {
  before(startBackend);

  describe('gradients', () => {
    it('addToRows', () => {
      checkGradient(
        [
          [4, 3],
          [2, 3],
        ],
        (x, f) => addToRows(x as Matrix, [{ rows: Int32Array.of(0, 3), f: f as Matrix }]),
      );
    });

    it('weighted', () => {
      checkGradient(
        [
          [4, 3],
          [4, 1],
        ],
        (f, score) => weighted(f as Matrix, score as Matrix),
      );
    });

    it('carryKv', () => {
      const isOpen = [true, false, false, true];
      checkGradient(
        [
          [4, 6],
          [4, 6],
        ],
        (qkv, last) => carryKv(qkv as Matrix, last as Matrix, isOpen),
      );
    });
  });

  it('unitRms: rows of length √columns, without a gradient for what they are made of', () => {
    const x = tf.tensor2d([3, -4, 0.5, 0.5], [2, 2]);
    for (const [i, value] of unitRms(x).dataSync<'float32'>().entries()) {
      assert.ok(Math.abs(value - ([0.8485, -1.1314, 1, 1][i] ?? NaN)) < 1e-3);
    }
    assert.throws(() => tf.grad((given) => unitRms(given as Matrix))(x));
  });

  it('decide: open above 0, and where the gate is not asked; a decision is turned where there is one', () => {
    const scores = tf.tensor2d([-3, -0.5, 0.2, 2], [4, 1]);
    const decision = decide(
      scores,
      (row) => [0, 0.6, -0.3, 0][row] ?? NaN,
      (row) => row !== 0,
    );
    assert.deepEqual(decision.isOpen, [true, true, false, true]);
    assert.deepEqual(turned(decision, (row) => row !== 2).isOpen, [true, false, false, false]);
  });

  describe('credit', () => {
    let scores: Matrix[] = [];
    let decisions: Decision[] = [];
    before(() => {
      scores = [-1, 0.5, 3].map((score) => tf.tensor2d([score, score], [2, 1]));
      /** Of the second row the last gate is not asked. */
      decisions = scores.map((score, gate) =>
        decide(
          score,
          () => 0,
          (row) => row === 0 || gate < 2,
        ),
      );
    });
    /** What each block takes off the loss of a row. */
    const gains = [0.3, -0.2, 0.7];
    const natsOf = (turns?: Int32Array): Float32Array =>
      Float32Array.from({ length: 2 }, (_, row) =>
        decisions.reduce((nats, decision, gate) => {
          const { isOpen } = turned(decision, (r) => turns?.[r] === gate);
          return nats - (isOpen[row] === true ? (gains[gate] ?? NaN) : 0);
        }, 4),
      );

    it('is in the mean the slope of the expected loss, and has the budget of every gate', () => {
      const random = seededRandom(5);
      const [draws, price] = [4000, 0.1];
      const sums = scores.map(() => new Float64Array(2));
      for (let draw = 0; draw < draws; draw++) {
        const turns = drawTurns(decisions, random);
        const outcome = { turns, nats: natsOf(), turnedNats: natsOf(turns.gates), price };
        tf.tidy(() => {
          const found = tf.grads((...given) =>
            credit(
              decisions.map((decision, gate) => ({ ...decision, score: given[gate] as Matrix })),
              outcome,
              7,
            ),
          )(scores);
          for (const [gate, gradient] of found.entries()) {
            gradient.dataSync<'float32'>().forEach((g, row) => {
              const sum = sums[gate];
              if (sum !== undefined) sum[row] = (sum[row] ?? 0) + g / draws;
            });
          }
        });
      }
      const slope = [-1, 0.5, 3].map((s) => 1 / (1 + Math.exp(-s))).map((p) => p * (1 - p));
      for (const [gate, sum] of sums.entries()) {
        for (const [row, mean] of sum.entries()) {
          const expected = row === 1 && gate === 2 ? 0 : ((slope[gate] ?? NaN) * (price - (gains[gate] ?? NaN))) / 2;
          assert.ok(Math.abs(mean - expected) < 0.004, `gate ${gate}, row ${row}: ${mean}, not ${expected}`);
        }
      }
    });

    it('has the value that it is given, and turns nothing where no gate is asked', () => {
      const fixed = decisions.map((decision) => ({ ...decision, isFree: () => false }));
      const turns = drawTurns(fixed, seededRandom(1));
      assert.deepEqual([...turns.gates], [-1, -1]);
      const outcome = { turns, nats: natsOf(), turnedNats: natsOf(turns.gates), price: 1 };
      const { value, grads } = tf.valueAndGrads((...given) =>
        credit(
          fixed.map((decision, gate) => ({ ...decision, score: given[gate] as Matrix })),
          outcome,
          7,
        ),
      )(scores);
      assert.equal(value.dataSync()[0], 7);
      for (const gradient of grads) assert.deepEqual([...gradient.dataSync()], [0, 0]);
    });
  });

  /** What two sequences come to, and which blocks their tokens execute. */
  const routedOf = (own: RadialConfig, flat: Float32Array, ids: Int32Array): Pick<Trained, 'logits' | 'paths'> =>
    tf.tidy(() => {
      const { shape } = tinySettings();
      const specs = gateSpecs(own, shape.hidden, parameterSpecs(shape));
      const found = routedForward(parameterTensors(specs, flat), shape, {
        ids,
        batch: 2,
        config: own,
        isFixed: false,
        noise: () => new Float32Array(ids.length),
      });
      const paths = Array.from(ids, (_, t) => [0, 1, 2, 3].filter((b) => found.decisions.get(b)?.isOpen[t] !== false));
      return { logits: found.logits.arraySync(), paths };
    });

  for (const kv of ['absent', 'project', 'latest'] as const) {
    for (const [hidden, weighting] of [
      [0, 'none'],
      [5, 'none'],
      [0, 'probability'],
      [5, 'probability'],
    ] as const) {
      it(`compute what the compiled program computes: ${kv}, weighting ${weighting}, ${hidden === 0 ? 'linear' : 'with an inner layer'}`, async () => {
        const { shape } = tinySettings();
        const own = {
          ...config,
          kv,
          hidden,
          weighting,
          anchors: 1,
          threshold: 0.45,
          gatedBlocks: hidden === 0 ? [1, 2, 3] : [0, 2, 3],
        };
        const specs = gateSpecs(own, shape.hidden, parameterSpecs(shape));
        const flat = drawn(specs);
        // Stored as F16: what is written must be what is compared.
        for (const [i, x] of flat.entries()) flat[i] = Math.round(x * 256) / 256;
        const ids = Int32Array.from({ length: 2 * shape.context }, (_, i) => (7 * i + (i >> 3)) % shape.vocab);
        const { logits, paths } = routedOf(own, flat, ids);
        assert.ok(new Set(paths.map((path) => path.join())).size > 2);
        await assertCompiledSame({ shape, flat, ids, logits, paths }, (dir) => {
          writeGates(dir, own, shape.hidden, { specs, flat });
        });
      });
    }

    for (const anchors of [0, 1]) {
      it(`skip a block that nobody else executes than ${anchors} first tokens: ${kv}`, async () => {
        const { shape } = tinySettings();
        const own = { ...config, kv, anchors, gatedBlocks: [0, 2, 3] };
        const specs = gateSpecs(own, shape.hidden, parameterSpecs(shape));
        const flat = drawn(specs).map((x) => Math.round(x * 256) / 256);
        for (const { name, offset } of specs) if (/gate\.[02]\.score_bias/.test(name)) flat[offset] = -20;
        const ids = Int32Array.from({ length: 2 * shape.context }, (_, i) => (5 * i + (i >> 2)) % shape.vocab);
        const { logits, paths } = routedOf(own, flat, ids);
        assert.equal(paths.filter((path) => path.includes(0) || path.includes(2)).length, 2 * anchors);
        await assertCompiledSame({ shape, flat, ids, logits, paths }, (dir) => {
          writeGates(dir, own, shape.hidden, { specs, flat });
        });
      });
    }
  }

  for (const weighting of ['none', 'probability'] as const) {
    it(`the gradient of a joint step is right for the model, whose weights decide nothing here: weighting ${weighting}`, () => {
      const own = { ...config, kv: 'latest', weighting } as const;
      const settings = tinySettings({ routed: { ...routed, mode: 'joint', config: own } });
      const trainee = traineeOf(settings, new Float32Array());
      const flat = drawn(trainee.specs);
      // Gates that do not look at the hidden state: each block has its own luck.
      for (const { name, offset, size } of trainee.specs) {
        if (name.endsWith('.score')) flat.fill(0, offset, offset + size);
      }
      const ids = Int32Array.from({ length: 32 }, (_, i) => (7 * i) % settings.shape.vocab);
      const share = {
        data: { ids, targets: ids.map((id) => (id + 5) % settings.shape.vocab) },
        batch: 2,
        drops: () => false,
      };
      const work = { share, step: 2, worker: 0 };
      const { gradient, measured } = lossAndGradient(trainee, flat, work);
      assert.ok(measured !== undefined && measured.depth > 0.3 && measured.depth < 1);
      for (const { name, offset, size } of parameterSpecs(settings.shape)) {
        const direction = Float32Array.from({ length: size }, (_, i) => Math.cos(3 * i));
        const moved = (sign: number): Float32Array => {
          const there = flat.slice();
          for (const [i, d] of direction.entries()) there[offset + i] = (there[offset + i] ?? 0) + sign * 2e-4 * d;
          return there;
        };
        const slope =
          (lossAndGradient(trainee, moved(1), work).loss - lossAndGradient(trainee, moved(-1), work).loss) / 4e-4;
        const part = gradient.subarray(offset, offset + size);
        const tolerance = 0.05 * Math.sqrt(dot(part, part)) + 3e-3;
        assert.ok(Math.abs(slope - dot(part, direction)) < tolerance, `${name}: ${slope}, not ${dot(part, direction)}`);
      }
    });
  }

  it('distill leaves no tensors behind, and is nothing but the budget where all gates are open', () => {
    const settings = tinySettings({ routed: { ...routed, targetDepth: 1, config: { ...config, threshold: 0 } } });
    const { shape } = settings;
    const model = drawn(parameterSpecs(shape));
    const trainee = traineeOf(settings, model);
    const ids = Int32Array.from({ length: 32 }, (_, i) => (5 * i) % shape.vocab);
    const share = { data: { ids, targets: ids }, batch: 2, drops: () => false };
    const before = tf.memory().numTensors;
    const { loss, measured } = lossAndGradient(trainee, initialParameters(trainee.specs, 1), {
      share,
      step: 0,
      worker: 0,
    });
    assert.equal(tf.memory().numTensors, before);
    assert.ok(Math.abs(loss) < 1e-5 && measured?.depth === 1 && Math.abs(measured.distance) < 1e-5);
  });

  const learn = async (settings: TrainSettings, model: Float32Array): Promise<readonly StepReport[]> => {
    const reports: StepReport[] = [];
    const frozen = settings.routed?.mode === 'distill' ? model : new Float32Array();
    const start = initialState(settings, model);
    assert.equal(
      start.parameters.length,
      trainedSpecs(settings).reduce((sum, { size }) => sum + size, 0),
    );
    await train(tinyText(), settings, start, { onStep: (report) => reports.push(report) }, frozen);
    return reports;
  };

  it('learn to keep a budget, alone and with the model; repeatably, with two workers as with one', async function () {
    this.timeout(180_000);
    const base = tinySettings();
    const optimizer = { ...base.optimizer, steps: 120 };
    const dense = await train(tinyText(), { ...base, optimizer }, initialState({ ...base, optimizer }));
    const steps = { ...base.optimizer, steps: 100, learningRate: 0.05 };
    const distill = { ...base, optimizer: steps, routed };
    const reports = await learn(distill, dense.parameters);
    const last = reports.slice(-10);
    const depth = last.reduce((sum, { measured }) => sum + (measured?.depth ?? NaN), 0) / last.length;
    assert.ok(Math.abs(depth - 0.6) < 0.06, `a depth of ${depth}`);
    assert.deepEqual(await learn(distill, dense.parameters), reports);
    const joint = {
      ...base,
      workers: 2,
      optimizer: { ...steps, learningRate: 0.01 },
      routed: { ...routed, mode: 'joint' as const },
    };
    const both = await learn(joint, dense.parameters);
    const end = both.at(-1);
    assert.ok(
      end?.measured !== undefined && Math.abs(end.measured.depth - 0.6) < 0.12 && end.loss < 1.2,
      JSON.stringify(end),
    );
  });
});
