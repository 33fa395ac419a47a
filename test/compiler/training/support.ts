/** @file A model small enough to train within a test, what its program computes, and folders that vanish. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tokenizerFiles, trainBpe, writeCheckpoint } from '../../../compiler/training/index.ts';
import type { ModelShape, TrainSettings } from '../../../compiler/training/index.ts';
import { compiled, largestDifference } from '../../support/compiled.ts';

/** Two layers of width 16 on text that repeats itself. */
export function tinySettings(change: Partial<TrainSettings> = {}): TrainSettings {
  return {
    shape: { layers: 2, hidden: 16, heads: 2, ffn: 24, vocab: 24, context: 20 },
    batch: 2,
    tokens: 16,
    seed: 7,
    optimizer: {
      kind: 'adamw',
      schedule: 'cosine',
      learningRate: 0.01,
      warmup: 4,
      steps: 24,
      weightDecay: 0.05,
      clip: 1,
    },
    layerDrop: 0,
    workers: 1,
    ...change,
  };
}

/** 4 … 23 again and again, with a leap now and then. */
export function tinyText(): Uint16Array {
  return Uint16Array.from({ length: 600 }, (_, i) => 4 + ((i + Math.floor(i / 50)) % 20));
}

/** Runs with an empty folder, and removes it. */
export async function withEmptyFolder(run: (folder: string) => void | Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'radialc-test-'));
  try {
    await run(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What training computes of two sequences of equal length. */
export interface Trained {
  readonly shape: ModelShape;
  /** The parameters of the model, first. */
  readonly flat: Float32Array;
  readonly ids: Int32Array;
  readonly logits: readonly (readonly number[])[];
  readonly paths: readonly (readonly number[])[];
}

/** Compiles the checkpoint, with the routers that are written to its folder: same paths, logits within 3e-4. */
export async function assertCompiledSame(
  { shape, flat, ids, logits, paths }: Trained,
  writeRouters: (dir: string) => void,
): Promise<void> {
  await withEmptyFolder(async (dir) => {
    writeCheckpoint(dir, shape, flat, tokenizerFiles(trainBpe(['abc'], 300), shape.context));
    // It is that of a larger vocabulary.
    for (const file of ['tokenizer.json', 'tokenizer_config.json']) rmSync(join(dir, file));
    writeRouters(dir);
    const { model } = await compiled({ input: dir });
    const tokens = ids.length / 2;
    for (const s of [0, 1]) {
      const part = [s * tokens, (s + 1) * tokens] as const;
      const found = await model.forward(ids.slice(...part));
      assert.deepEqual(found.path, paths.slice(...part));
      assert.ok(largestDifference(found.logits, logits.slice(...part)) < 3e-4);
    }
  });
}
