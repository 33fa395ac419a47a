/** @file The parts of a hub's training: their gradients, what routes cost, and what is said of them. */
import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import { attend } from '../../../compiler/training/hub/attend.ts';
import { createCollapseTally } from '../../../compiler/training/collapse.ts';
import { addCreditSlopes, drawTurns } from '../../../compiler/training/hub/credit.ts';
import { limited } from '../../../compiler/training/hub/limits.ts';
import { highest } from '../../../compiler/training/hub/router.ts';
import { planSight, source } from '../../../compiler/training/hub/sight.ts';
import { addEntry, addToRows, takeRows } from '../../../compiler/training/rows.ts';
import type { Hop } from '../../../compiler/training/hub/hops.ts';
import { startBackend } from '../../../compiler/training/index.ts';
import type { Matrix } from '../../../compiler/training/matmul.ts';
import { residual } from '../../../compiler/training/ops.ts';
import { normals, seededRandom } from '../../../compiler/training/random.ts';
import { checkGradient } from './check-gradient.ts';

describe('parts of a hub in training', () => {
  before(startBackend);

  describe('gradients', () => {
    it('takeRows', () => {
      checkGradient([[6, 3]], (x) => takeRows(x as Matrix, Int32Array.of(1, 2, 4)));
    });

    it('addEntry', () => {
      checkGradient(
        [
          [3, 4],
          [5, 4],
        ],
        (x, table) => addEntry(x as Matrix, table as Matrix, 2),
      );
    });

    it('attend: over what earlier visits left, over what is lent, and over nothing', () => {
      const { nowhere, live, before } = source;
      const shape = { batch: 3, tokens: 5, heads: 2, headDim: 2 };
      const first = Int32Array.of(0, 2, 3, 10, 11, 14);
      const second = Int32Array.of(0, 2, 4, 11, 12, 13);
      const from = [live, before, live, nowhere, live, live, live, live, live, live, nowhere, live, before, live, live];
      const sights = [
        planSight(
          first,
          Uint8Array.from(from, (where) => (where === live ? nowhere : where)),
          5,
        ),
        planSight(second, Uint8Array.from(from), 5),
      ] as const;
      assert.deepEqual(
        sights.map(({ ends }) => [...ends]),
        [
          [0, 1, 1, 0, 0, 1],
          [0, 2, 3, 0, 1, 2],
        ],
      );
      const lent = normals(seededRandom(5), 15 * 8, 1);
      checkGradient(
        [
          [6, 12],
          [6, 12],
        ],
        (...visits) => {
          const left = { kv: normals(seededRandom(6), 15 * 8, 1) };
          const [one, two] = [first, second].map((rows, i) =>
            attend(visits[i] as Matrix, {
              shape,
              sight: sights[i] ?? sights[0],
              rows,
              live: left,
              isAside: false,
              before: { kv: lent },
            }),
          );
          return residual(one as Matrix, two as Matrix);
        },
      );
    });

    it('addToRows', () => {
      const [first, second] = [Int32Array.of(1, 3), Int32Array.of(0)];
      checkGradient(
        [
          [4, 2],
          [2, 2],
          [1, 2],
        ],
        (x, f, g) =>
          addToRows(x as Matrix, [
            { rows: first, f: f as Matrix },
            { rows: second, f: g as Matrix },
          ]),
      );
    });
  });

  it('credit: in the mean the slope of the expected loss as probability moves from what was chosen to the others', () => {
    const points = [
      [0.3, -0.2, 0.9, 1, 2, 0.5],
      [-1, 0.4, 0.1],
    ].map((values) => tf.tensor2d(values, [values.length / 3, 3]));
    /** The second token leaves at once. */
    const hops: Hop[] = [
      {
        rows: Int32Array.of(0, 1),
        choices: Int32Array.of(0, 2),
        isFree: Uint8Array.of(1, 1),
        scores: points[0] as Matrix,
      },
      { rows: Int32Array.of(0), choices: Int32Array.of(1), isFree: Uint8Array.of(1), scores: points[1] as Matrix },
    ];
    /** By hop, token and successor. */
    const losses = [
      [
        [1, 3, 0.5],
        [2, -1, 4],
      ],
      [[0.2, 1, 2.5]],
    ];
    const nats = Float32Array.of(1, 4);
    const [random, draws] = [seededRandom(3), 20_000];
    const means = points.map(({ size }) => new Float64Array(size));
    for (let draw = 0; draw < draws; draw++) {
      const turns = drawTurns(hops, 2, random);
      const turnedNats = nats.map(
        (_, row) => losses[turns.hops[row] ?? NaN]?.[row]?.[turns.successors[row] ?? NaN] ?? NaN,
      );
      const slopes = points.map(({ size }) => new Float32Array(size));
      addCreditSlopes(hops, slopes, { turns, nats, turnedNats }, 1 / draws);
      for (const [h, mean] of means.entries()) slopes[h]?.forEach((slope, i) => (mean[i] = (mean[i] ?? NaN) + slope));
    }
    for (const [h, { rows, choices, scores }] of hops.entries()) {
      const chances = tf.softmax(scores).arraySync();
      const expected = [...rows].flatMap((row, i) => {
        const [slopes, chosen] = [[0, 0, 0], choices[i] ?? NaN];
        for (let c = 0; c < 3; c++) {
          const moved = (chances[i]?.[chosen] ?? NaN) * (chances[i]?.[c] ?? NaN);
          const slope = moved * ((losses[h]?.[row]?.[c] ?? NaN) - (nats[row] ?? NaN));
          slopes[c] = (slopes[c] ?? NaN) + slope;
          slopes[chosen] = (slopes[chosen] ?? NaN) - slope;
        }
        return slopes;
      });
      means[h]?.forEach((mean, i) => {
        assert.ok(Math.abs(mean - (expected[i] ?? NaN)) < 0.01, `hop ${h}, score ${i}: ${mean}, not ${expected[i]}`);
      });
    }
  });

  it('limited: the hops to be expected, and the evenness of what the hub gives, by finite differences', () => {
    const limits = { tokens: 4, blocks: 2, maxHops: 3, target: 0.3, budget: 5, balance: 0.7 };
    const isFree = Uint8Array.of(0, 1, 1, 1);
    const choices = [Int32Array.of(0, 1, 0, 2), Int32Array.of(1, 0, 2)];
    const rows = [Int32Array.of(0, 1, 2, 3), Int32Array.of(0, 1, 2)];
    const shapes = rows.map(({ length }): [number, number] => [length, 3]);
    const points = shapes.map(([count], h) => normals(seededRandom(40 + h), count * 3, 1));
    const hopsOf = (scores: readonly Matrix[]): Hop[] =>
      scores.map((matrix, h) => ({
        rows: rows[h] ?? new Int32Array(),
        choices: choices[h] ?? new Int32Array(),
        isFree: isFree.subarray(0, shapes[h]?.[0]),
        scores: matrix,
      }));
    const tensors = points.map((data, h) => tf.tensor2d(data, shapes[h] ?? [0, 0]));
    const loss = tf.scalar(2);
    const depth = 5 / 4 / 3;
    const expectedOf = (at: readonly Float32Array[]): { readonly hops: number; readonly evenness: number } => {
      const chance = (h: number, i: number, c: number): number => {
        const row = [...(at[h]?.subarray(3 * i, 3 * i + 3) ?? [])].map(Math.exp);
        return (row[c] ?? NaN) / row.reduce((a, b) => a + b, 0);
      };
      let [hops, even, decided] = [0, 0, 0];
      for (let token = 0; token < 4; token++) {
        let alive = 1;
        for (const [h, list] of rows.entries()) {
          const i = list.indexOf(token);
          if (i < 0) continue;
          if (isFree[i] === 1) {
            const stays = 1 - chance(h, i, 2);
            alive *= stays;
            // Of five hops three go to block 0, two to block 1.
            even += (2 * (0.6 * chance(h, i, 0) + 0.4 * chance(h, i, 1))) / stays;
            decided++;
          }
          hops += alive;
        }
      }
      return { hops, evenness: even / decided - 1 };
    };
    const value = tf.tidy(() => limited(loss, hopsOf(tensors), limits).dataSync()[0] ?? NaN);
    const wanted = 2 + limits.budget * (depth - limits.target) ** 2 + limits.balance * expectedOf(points).evenness;
    assert.ok(Math.abs(value - wanted) < 1e-5, `${value}, not ${wanted}`);
    /** What the gradient belongs to: of the hops that are expected, not of those that were made. */
    const meant = (at: readonly Float32Array[]): number => {
      const { hops, evenness } = expectedOf(at);
      const slope = (2 * limits.budget * (depth - limits.target)) / (limits.maxHops * limits.tokens);
      return slope * hops + limits.balance * evenness;
    };
    const slopes = tf.grads((...given) => limited(loss, hopsOf(given as Matrix[]), limits))(tensors);
    for (const [h, point] of points.entries()) {
      const found = slopes[h]?.dataSync() ?? [];
      for (let i = 0; i < point.length; i++) {
        const moved = (by: number): number =>
          meant(points.map((other, k) => (k === h ? other.map((x, j) => (j === i ? x + by : x)) : other)));
        const measured = (moved(1e-2) - moved(-1e-2)) / 2e-2;
        assert.ok(Math.abs(measured - (found[i] ?? NaN)) < 2e-4, `hop ${h}, score ${i}: ${measured}, not ${found[i]}`);
      }
    }
  });

  it('of equal scores takes the first in the list, which begins with the next block', () => {
    assert.equal(highest(Float32Array.of(1, 1, 1, 1), 0), 1);
    assert.equal(highest(Float32Array.of(1, 1, 1, 1), 2), 3);
    assert.equal(highest(Float32Array.of(1, 2, 1, 2), 1), 1);
    assert.equal(highest(Float32Array.of(0, 0, 0, 1), -1), 3);
  });

  it('tells how routes have collapsed', () => {
    const tally = createCollapseTally(4, 3);
    for (const [position, path] of [
      [0, [0, 1]],
      [0, [0, 1]],
      [1, [0, 0, 2]],
      [1, [0, 1]],
    ] as const) {
      tally.add(position, path);
    }
    const { hops, entropy, evenness, capped, selfLoops, sameRoute, sameAtPosition } = tally.result();
    assert.deepEqual(tally.visits(), [1, 0.75, 0.25, 0]);
    assert.deepEqual([hops, capped, selfLoops, sameRoute, sameAtPosition], [9 / 4, 0.25, 1 / 9, 0.75, 0.75]);
    const bits = -(0.75 * Math.log2(0.75) + 0.25 * Math.log2(0.25));
    assert.deepEqual(
      entropy.map((value) => value.toFixed(9)),
      [0, bits, bits, 0].map((value) => value.toFixed(9)),
    );
    const shares = [5 / 9, 3 / 9, 1 / 9];
    assert.ok(Math.abs(evenness + shares.reduce((sum, p) => sum + p * Math.log2(p), 0) / 2) < 1e-9);
  });
});
